"""Evaluating a network without a strategy."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from avalanche_pnr.evaluation.features import extract_stream
from avalanche_pnr.evaluation.float64 import in_float64
from avalanche_pnr.evaluation.probes import Probe, ProbeData
from avalanche_pnr.evaluation.probes.base import check_names


def probe_accuracy(
    model: nn.Module,
    train_data: Iterable[Any],
    test_data: Iterable[Any],
    probes: Sequence[Probe],
    **kwargs: Any,
) -> dict[str, list[float]]:
    """Measure the accuracy of probes on frozen features, for each test experience.

    Args:
        model: Maps inputs (N, ...) to features (N, F).
        train_data: Experiences with the labelled training data of all classes.
        test_data: Experiences to test on.
        probes: Probes to fit.
        **kwargs: Arguments of :func:`extract_features`.

    Returns:
        For each probe's name, one accuracy in 0..1 for each test experience.

    Raises:
        ValueError: If there is no experience or no probe, or two have the same name.
    """
    check_names(probes)
    data = ProbeData(model, train_data, **kwargs)
    readouts = {probe.name: probe.fit_to(data) for probe in probes}
    test = extract_stream(model, test_data, **kwargs)
    return {
        name: [accuracy(readout(x), y) for x, y in test]
        for name, readout in readouts.items()
    }


def accuracy(
    scores: Tensor,
    labels: Tensor,
    *,
    k: int = 1,
    classes: Iterable[int] | None = None,
) -> float:
    """Return the fraction of rows whose label has one of the k highest scores.

    Ties go to the lower class, as with ``argmax``; a score of minus infinity or NaN is
    never among the highest.

    Args:
        scores: Scores (N, C).
        labels: Labels (N,) in 0..C-1.
        k: Number of highest scores among which the label's must be.
        classes: Classes that compete (task-aware accuracy), those of the labels
            included; by default all.

    Raises:
        ValueError: If a label has no score.
    """
    check_known(labels, scores.shape[1])
    numbers = torch.arange(scores.shape[1], device=scores.device)
    own = scores.gather(1, labels[:, None])  # (N, 1)
    ahead = (scores > own) | ((scores == own) & (numbers < labels[:, None]))
    if classes is not None:
        competing = torch.tensor(sorted(classes), device=scores.device)
        ahead &= torch.isin(numbers, competing)
    hits = (ahead.sum(dim=1) < k) & (own[:, 0] > float("-inf"))
    return in_float64(hits).mean().item()


def check_known(labels: Tensor, classes: int) -> None:
    """Refuse labels of classes that a probe was not fitted to.

    Raises:
        ValueError: If a label is not below the number of classes.
    """
    highest = int(labels.max())
    if highest >= classes:
        raise ValueError(
            f"class {highest} is evaluated but not in train_data, whose classes "
            f"end at {classes - 1}: give the probe labelled data of every class"
        )
