"""Nearest class mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.evaluation.probes.base import FeatureProbe


class NearestMeanProbe(FeatureProbe):
    """The class whose mean feature points most nearly in the same direction.

    Features are L2-normalised before and after they are averaged; nothing is trained.

    Args:
        name: Name in metrics and reports.

    Source: Rebuffi et al. 2017, arXiv 1611.07725, section 2.1.
    """

    def __init__(self, name: str = "ncm") -> None:
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} (nearest class mean, cosine)"

    def fit(self, features: Tensor, labels: Tensor) -> "NearestMeanReadout":
        """Average features (N, F) by their labels (N,) in 0..C-1."""
        sums = features.new_zeros(int(labels.max()) + 1, features.shape[1])
        sums.index_add_(0, labels, normalize(features, dim=1))
        seen = torch.bincount(labels, minlength=len(sums)) > 0
        return NearestMeanReadout(normalize(sums, dim=1), seen)


@dataclass(frozen=True)
class NearestMeanReadout:
    """Unit means (C, F) of the classes, and which of them have any image (C,)."""

    means: Tensor
    seen: Tensor
    details: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, features: Tensor) -> Tensor:
        """Compute cosine similarities (N, C) of features (N, F)."""
        similarity = normalize(features, dim=1) @ self.means.T
        return similarity.masked_fill(~self.seen, float("-inf"))
