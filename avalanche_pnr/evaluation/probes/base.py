"""The protocol of probes, and the linear classifier that most of them fit."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from avalanche_pnr.distributed.collectives import broadcast_from_rank0
from avalanche_pnr.evaluation.probes.data import ProbeData


class Readout(Protocol):
    """A fitted probe: from features (N, F) to class scores (N, C)."""

    @property
    def details(self) -> Mapping[str, float]:
        """Values found by fitting, for example a learning rate."""

    def __call__(self, features: Tensor) -> Tensor:
        """Compute scores (N, C) of features (N, F)."""


class Probe(ABC):
    """Fits a classifier over all classes to a frozen network.

    Attributes:
        name: Name in metrics and reports.
        judges_untrained: Whether it can be fitted to a network that is not trained.
    """

    name: str
    judges_untrained: bool = True

    def prepare(self, data: ProbeData) -> None:  # noqa: B027  (most need the features)
        """Do what all processes must do together, before the first one fits."""

    @abstractmethod
    def fit_to(self, data: ProbeData) -> Readout:
        """Fit to labelled images and the network they pass through."""

    def check_images(self, images: int) -> None:  # noqa: B027
        """Warn of data of so few images that the probe is not what it is set to be."""

    def step(self, data: ProbeData) -> None:  # noqa: B027  (most have nothing to do)
        """Take a step of the probe's own, after an update of the network."""

    def state_dict(self) -> dict[str, Any]:
        """Return what was learnt from such steps; empty for most probes."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Restore that state."""


class FeatureProbe(Probe):
    """A probe that needs only features of undistorted images.

    The features are extracted once for all probes of this kind.
    """

    @abstractmethod
    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        """Fit to features (N, F) and labels (N,) in 0..C-1."""

    def prepare(self, data: ProbeData) -> None:
        """Extract the features, for all probes of this kind."""
        _ = data.features

    def fit_to(self, data: ProbeData) -> Readout:
        """Fit to the cached features."""
        return self.fit(*data.features)


@dataclass(frozen=True)
class LinearReadout:
    """A linear classifier of standardised features.

    Attributes:
        mean: Mean subtracted from features, (F,).
        scale: Factor of the centred features, (F,).
        weight: Weight of the classifier, (C, F).
        bias: Bias of the classifier, (C,).
        details: Values found by fitting.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    details: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_plain_features(cls, weight: Tensor, bias: Tensor) -> "LinearReadout":
        """Make a classifier of features as they are: weight (C, F), bias (C,)."""
        dim = weight.shape[1]
        return cls(weight.new_zeros(dim), weight.new_ones(dim), weight, bias)

    def __call__(self, features: Tensor) -> Tensor:
        """Compute logits (N, C) of features (N, F)."""
        # One after the other: the device of the features may lack the type of the mean.
        x = features.to(self.mean.device).to(self.mean.dtype)
        scores = linear((x - self.mean) * self.scale, self.weight, self.bias)
        return scores.to(features.dtype).to(features.device)


def standardisation(features: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and inverse standard deviation (F,) of features (N, F)."""
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    # Collapsed dimensions hold rounding noise, which must not be blown up.
    varies = deviation > 1e-5 * (1 + mean.abs())
    return mean, torch.where(varies, 1 / deviation, torch.zeros_like(deviation))


def zero_head(features: Tensor, classes: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Make weight (C, F) and bias (C,) to be trained on features (N, F), all zero.

    Unlike ``nn.Linear`` this draws no random numbers, so training is unaffected.
    """
    weight = features.new_zeros(classes, features.shape[1])
    return nn.Parameter(weight), nn.Parameter(features.new_zeros(classes))


def fit_all(probes: Sequence[Probe], data: ProbeData) -> dict[str, Readout]:
    """Fit probes to data, on several processes in the first one for all.

    Returns:
        The fitted probes by name.
    """
    for probe in probes:
        probe.prepare(data)
    return broadcast_from_rank0(
        lambda: {probe.name: probe.fit_to(data) for probe in probes}
    )


def check_converged(probe: Probe, weight: Tensor, bias: Tensor) -> None:
    """Refuse a classifier that SGD has made infinite.

    Raises:
        FloatingPointError: If a weight or a bias is not finite.
    """
    if not (weight.isfinite().all() and bias.isfinite().all()):
        raise FloatingPointError(
            f"{probe} diverged on these features: lower its learning rate"
        )


def check_names(probes: Sequence[Probe]) -> None:
    """Refuse probes that could not be told apart.

    Raises:
        ValueError: If there is none, or two have the same name.
    """
    if not probes:
        raise ValueError(
            "probes is empty: give at least one, for example LinearProbe()"
        )
    names = [probe.name for probe in probes]
    if len({name.capitalize() for name in names}) < len(names):
        raise ValueError(f"probes need different names, got {', '.join(names)}")
