"""A probe with few labels."""

import numpy as np
import torch
from torch import Tensor

from avalanche_pnr.evaluation.probes.base import FeatureProbe, Readout
from avalanche_pnr.evaluation.probes.convex import ConvexProbe


class SemiSupervisedProbe(FeatureProbe):
    """Another probe, fitted to a fraction of the labels of each class.

    Args:
        fraction: Fraction of each class's images whose labels are used, above 0 and at
            most 1; rounded, but at least one image.
        probe: Probe to fit; by default a convex probe, which has nothing to tune and so
            needs no further labels.
        seed: Seed of the choice of the images.
        name: Name in metrics and reports; by default the probe's with the percentage.

    Raises:
        ValueError: If the fraction is out of range.
    """

    def __init__(
        self,
        fraction: float,
        probe: FeatureProbe | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        if not 0 < fraction <= 1:
            raise ValueError(
                f"SemiSupervisedProbe needs a fraction in (0, 1], got {fraction}"
            )
        self.fraction = fraction
        self.probe = probe or ConvexProbe()
        self.seed = seed
        self.name = name or f"{self.probe.name}_{100 * fraction:g}pct"

    def __str__(self) -> str:
        return f"{self.name} ({100 * self.fraction:g} % of the labels, {self.probe})"

    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        """Fit to the chosen part of features (N, F) and labels (N,) in 0..C-1."""
        rows = torch.from_numpy(self._choose(labels)).to(labels.device)
        return self.probe.fit(features[rows], labels[rows])

    def _choose(self, labels: Tensor) -> np.ndarray:
        """Indices of the images whose labels are used."""
        y, rng = labels.cpu().numpy(), np.random.default_rng(self.seed)
        members = [np.flatnonzero(y == label) for label in np.unique(y)]
        return np.concatenate(
            [
                rng.permutation(each)[: max(1, round(self.fraction * len(each)))]
                for each in members
            ]
        )
