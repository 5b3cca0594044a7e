"""Judging a network without a strategy."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from avalanche_pnr.evaluation.features import extract_stream
from avalanche_pnr.evaluation.probes import Probe, Readout, check_names


def fit_probes(
    model: nn.Module,
    train_data: Iterable[Any],
    probes: Sequence[Probe],
    **kwargs: Any,
) -> dict[str, Readout]:
    """Fit probes to the frozen features of all training data.

    Args:
        model: Maps images (N, C, H, W) to features (N, F).
        train_data: Experiences with the labelled training data of all classes.
        probes: What is fitted.
        **kwargs: Arguments of :func:`extract_features`.

    Returns:
        For each probe's name, its readout.

    Raises:
        ValueError: If there is no experience or no probe, or two have the same name.
    """
    check_names(probes)
    parts = extract_stream(model, train_data, **kwargs)
    if not parts:
        raise ValueError("train_data holds no experience: probes need labelled data")
    features, labels = (torch.cat(each) for each in zip(*parts, strict=True))
    return {probe.name: probe.fit(features, labels) for probe in probes}


def probe_accuracy(
    model: nn.Module,
    train_data: Iterable[Any],
    test_data: Iterable[Any],
    probes: Sequence[Probe],
    **kwargs: Any,
) -> dict[str, list[float]]:
    """Accuracy of probes on frozen features, for each test experience.

    Args:
        model: Maps images (N, C, H, W) to features (N, F).
        train_data: Experiences with the labelled training data of all classes.
        test_data: Experiences to test on.
        probes: What judges.
        **kwargs: Arguments of :func:`extract_features`.

    Returns:
        For each probe's name, one accuracy in 0..1 for each test experience.
    """
    readouts = fit_probes(model, train_data, probes, **kwargs)
    test = extract_stream(model, test_data, **kwargs)
    return {
        name: [accuracy(readout(x), y) for x, y in test]
        for name, readout in readouts.items()
    }


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Fraction of rows whose highest score (N, C) is that of the label (N,)."""
    return (scores.argmax(dim=1) == labels).double().mean().item()
