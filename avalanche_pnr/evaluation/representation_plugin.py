"""Forgetting and collapse as a part of Avalanche's evaluation, without labels."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.utils.data import Dataset

from avalanche_pnr.evaluation.features import extract_unlabelled
from avalanche_pnr.evaluation.metrics import PluginValues
from avalanche_pnr.evaluation.protocol import EvaluatedStrategy
from avalanche_pnr.evaluation.representation import (
    alignment,
    effective_rank,
    linear_cka,
    uniformity,
)
from avalanche_pnr.evaluation.state import checksum
from avalanche_pnr.reproducibility.sampling import SeededSamples
from avalanche_pnr.runs.state_checks import check_keys, check_tensor, check_type

Extract = Callable[[Dataset[Any]], Tensor]
"""Function from a data set to its features, (N, F) or, of views, (N, V, F)."""


class RepresentationPlugin(SupervisedPlugin):
    """Watch the backbone's features of some fixed images of each experience.

    Whenever the strategy evaluates, whatever it evaluates on, ``values`` holds

    * ``CKA_Exp/Exp000`` and so on, for each experience trained so far: how similar the
      features of its images are to those when it ended. 1 where it has just ended;
      the lower, the further its representation has moved; NaN if it has collapsed to
      a point;
    * ``Alignment_Stream``: how far the two views of an image are apart, over the
      images of all experiences, future ones included;
    * ``Uniformity_Stream`` and ``EffectiveRank_Stream`` of the same images: both are 0
      where all features have collapsed to a point; spread features have a uniformity
      far below 0 and an effective rank of many dimensions.

    Images and views are the same each time. The values are computed once for each
    state of the model; the model, its modes and the random number generators stay as
    they are. On online streams an experience ends with its last sub-experience.

    Args:
        stream: Experiences to watch, with or without labels, for example
            ``benchmark.train_stream``. Images are taken under the eval transforms,
            views under the train transforms.
        images: Largest number of images of each experience, drawn once.
        seed: Seed of the draw and of the views.

    Attributes:
        values: Results of the last evaluation, by the name of the metric.

    Raises:
        ValueError: If there is no experience, or images is below 2.
    """

    def __init__(
        self, stream: Iterable[Any], *, images: int = 1000, seed: int = 0
    ) -> None:
        super().__init__()
        self.supports_distributed = True
        if images < 2:
            raise ValueError(
                f"images={images} must be 2 or more, as features are compared in "
                "pairs (representation_images=200)"
            )
        generator = torch.Generator().manual_seed(seed)
        experiences = {each.current_experience: each for each in stream}
        self._origins = {k: each.origin_stream for k, each in experiences.items()}
        self._images: dict[int, AvalancheDataset[Any]] = {
            k: _draw(each.dataset, images, generator) for k, each in experiences.items()
        }
        if not self._images:
            raise ValueError("stream holds no experience: there is nothing to watch")
        self.seed = seed
        self.values: dict[str, float] = {}
        self._kept: dict[int, Tensor] = {}
        self._measured = b""

    def metrics(self) -> list[Any]:
        """Make metrics for an ``EvaluationPlugin`` that publish the values."""
        return [PluginValues(self)]

    def before_training(self, strategy: EvaluatedStrategy, **kwargs: Any) -> None:
        """Refuse a strategy without features before it trains.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one.
        """
        _check_strategy(strategy)

    def after_training_exp(
        self, strategy: EvaluatedStrategy, num_workers: int = 0, **kwargs: Any
    ) -> None:
        """Keep the features of an experience that has ended."""
        part = strategy.experience
        experience = getattr(part, "origin_experience", None) or part
        index = experience.current_experience
        watched = self._origins.get(index) is experience.origin_stream
        if strategy.sub_experience + 1 == strategy.sub_experiences and watched:
            extract = _extractor(strategy, num_workers)
            self._kept[index] = extract(self._images[index].eval()).cpu()
            self._measured = b""

    def before_eval(
        self, strategy: EvaluatedStrategy, num_workers: int = 0, **kwargs: Any
    ) -> None:
        """Measure, unless this state of the model has been measured.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one.
            ValueError: If features are not finite.
        """
        _check_strategy(strategy)
        state = checksum(strategy.model.backbone)
        if state != self._measured:
            self.values = self._measure(_extractor(strategy, num_workers))
            self._measured = state

    def state_dict(self) -> dict[str, Any]:
        """Return the features kept of each experience that has ended."""
        return {"kept": dict(self._kept)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the features to compare with.

        Raises:
            ValueError: If they are not those of the experiences that are watched.
        """
        check_keys(state, ("kept",), "RepresentationPlugin")
        kept = state["kept"]
        check_type(kept, "kept features", dict)
        for number, features in kept.items():
            if number not in self._images:
                raise ValueError(
                    f"kept features are of an unknown experience {number!r}"
                )
            name = f"kept features of experience {number}"
            check_tensor(features, name, (len(self._images[number]), None))
        self._kept = {k: features.cpu() for k, features in state["kept"].items()}
        self._measured = b""

    def _measure(self, extract: Extract) -> dict[str, float]:
        now = {k: extract(images.eval()) for k, images in self._images.items()}
        features = torch.cat(list(now.values()))
        views = self._views(extract)
        return {
            **{
                f"CKA_Exp/Exp{k:03d}": linear_cka(then.to(now[k].device), now[k])
                for k, then in self._kept.items()
            },
            "Alignment_Stream": alignment(views[:, 0], views[:, 1]),
            "Uniformity_Stream": uniformity(features),
            "EffectiveRank_Stream": effective_rank(features),
        }

    def _views(self, extract: Extract) -> Tensor:
        views = [
            SeededSamples(images.train(), torch.tensor([self.seed, k]))
            for k, images in self._images.items()
        ]
        return torch.cat([extract(each) for each in views])


def _draw(
    dataset: AvalancheDataset[Any], images: int, generator: torch.Generator
) -> AvalancheDataset[Any]:
    order = torch.randperm(len(dataset), generator=generator)
    return dataset.subset(order[:images].tolist())


def _check_strategy(strategy: EvaluatedStrategy) -> None:
    if not hasattr(strategy, "sub_experiences"):
        raise TypeError(
            "RepresentationPlugin watches a backbone's features, which "
            f"{type(strategy).__name__} does not give: use it with "
            "avalanche_pnr.SelfSupervised"
        )


def _extractor(strategy: EvaluatedStrategy, num_workers: int) -> Extract:
    return partial(
        extract_unlabelled,
        strategy.model,
        input_dims=strategy.model.input_dims,
        batch_size=strategy.eval_mb_size,
        device=strategy.device,
        num_workers=num_workers,
    )
