"""New: ``avalanche/benchmarks/scenarios/unlabelled.py``."""

import sys
from typing import Any, Optional, Sequence, Union

import avalanche.benchmarks
import torch
from avalanche.benchmarks.scenarios.dataset_scenario import DatasetExperience
from avalanche.benchmarks.scenarios.generic_scenario import CLScenario, EagerCLStream
from avalanche.benchmarks.utils import DataAttribute, TransformGroups, concat_datasets

UNLABELLED = -1
"""Target of a sample whose label is hidden."""


def with_hidden_labels(
    benchmark: Any,
    *,
    labelled: Union[float, Sequence[float]] = 0.0,
    seed: Optional[int] = None,
    stream: str = "train",
) -> Any:
    """Hide labels of a stream: targets of samples without a label are -1.

    The samples and their order stay. Some settings by the fraction of labels, for
    three experiences:

    * unsupervised: `0.0`
    * semi-supervised: `0.05`
    * novel class discovery: `[1.0, 0.0, 0.0]`

    :param benchmark: the benchmark.
    :param labelled: fraction of the samples that keep their label, for all experiences
        or for each one.
    :param seed: seed of the choice of these samples; if None, PyTorch's global random
        number generator is used.
    :param stream: name of the stream.

    :return: a benchmark with the same streams otherwise.
    """
    experiences = list(benchmark.streams[stream])
    if isinstance(labelled, (int, float)):
        labelled = [labelled] * len(experiences)
    if len(labelled) != len(experiences):
        raise ValueError(
            f"labelled has {len(labelled)} fractions for {len(experiences)} experiences"
        )
    if not all(0 <= fraction <= 1 for fraction in labelled):
        raise ValueError(f"labelled must be between 0 and 1, got {labelled}")
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    hidden = EagerCLStream(
        stream,
        [
            DatasetExperience(dataset=_hide(exp.dataset, labelled[index], generator))
            for index, exp in enumerate(experiences)
        ],
    )
    streams = {**benchmark.streams, stream: hidden}
    return CLScenario(list(streams.values()))


def _hide(dataset: Any, labelled: float, generator: Any) -> Any:
    size = len(dataset)
    order = torch.randperm(size, generator=generator)
    kept, hidden = order[: round(labelled * size)], order[round(labelled * size) :]
    if not len(hidden):
        return dataset
    unlabelled = type(dataset)(
        [dataset.subset(hidden.tolist())],
        data_attributes=[DataAttribute([UNLABELLED] * len(hidden), "targets")],
        transform_groups=TransformGroups(
            {"train": (None, _hide_target), "eval": (None, _hide_target)}
        ),
    )
    if not len(kept):
        return unlabelled.subset(hidden.argsort().tolist())
    both = concat_datasets([dataset.subset(kept.tolist()), unlabelled])
    return both.subset(order.argsort().tolist())


def _hide_target(target: Any) -> Any:
    return target * 0 + UNLABELLED  # a number of the same type


__all__ = ["UNLABELLED", "with_hidden_labels"]

sys.modules["avalanche.benchmarks.scenarios.unlabelled"] = sys.modules[__name__]
avalanche.benchmarks.with_hidden_labels = with_hidden_labels
