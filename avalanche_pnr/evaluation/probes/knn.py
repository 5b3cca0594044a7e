"""Weighted nearest neighbours."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.evaluation.probes.base import FeatureProbe


class KNNProbe(FeatureProbe):
    """Weighted k nearest neighbours by cosine similarity.

    Each of the k neighbours votes for its class with weight e^(similarity / tau).
    Similarities are held for ``chunk`` queries and ``bank_chunk`` neighbours at a
    time, 64 MB with the defaults: the training images of ImageNet-1k, 1.3 million
    features, would take 1.3 GB at once for the same queries. Of each part of the bank
    only the k nearest go on to the next. Beyond that the bank is held once, as given.

    Args:
        k: Number of neighbours; all images, with a warning, where there are fewer.
        temperature: tau.
        chunk: Number of queries compared with the bank at a time.
        bank_chunk: Number of features of the bank compared at a time.
        name: Name in metrics and reports.

    Raises:
        ValueError: If k or a chunk is below 1 or the temperature not above 0.

    Source: Wu et al. 2018, arXiv 1805.01978, section 3.4.
    """

    def __init__(
        self,
        k: int = 20,
        temperature: float = 0.07,
        chunk: int = 256,
        bank_chunk: int = 65536,
        name: str = "knn",
    ) -> None:
        if not (k >= 1 and min(chunk, bank_chunk) >= 1 and temperature > 0):
            raise ValueError(
                "KNNProbe needs k >= 1, chunk >= 1, bank_chunk >= 1 and temperature "
                f"> 0, got k={k}, chunk={chunk}, bank_chunk={bank_chunk}, "
                f"temperature={temperature}"
            )
        self.k = k
        self.temperature = temperature
        self.chunk = chunk
        self.bank_chunk = bank_chunk
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} (k = {self.k}, temperature {self.temperature:g})"

    def check_images(self, images: int) -> None:
        """Warn of a bank that is smaller than k: all of it are neighbours then."""
        if images < self.k:
            warnings.warn(
                f"{self.name} looks at {images} nearest neighbours and not at "
                f"k={self.k}, as there are no more labelled training images",
                stacklevel=3,
            )

    def fit(self, features: Tensor, labels: Tensor) -> "KNNReadout":
        """Keep features (N, F) and labels (N,) as the bank."""
        return KNNReadout(
            features,
            labels,
            int(labels.max()) + 1,
            self.k,
            self.temperature,
            self.chunk,
            self.bank_chunk,
        )


@dataclass(frozen=True)
class KNNReadout:
    """A bank of features (N, F) and the class of each (N,)."""

    bank: Tensor
    labels: Tensor
    classes: int
    k: int
    temperature: float
    chunk: int
    bank_chunk: int
    details: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, features: Tensor) -> Tensor:
        """Sum the votes (N, C) for features (N, F)."""
        return torch.cat([self._vote(x) for x in torch.split(features, self.chunk)])

    def _vote(self, features: Tensor) -> Tensor:
        nearest, index = self._neighbours(normalize(features, dim=1))
        weight = ((nearest - nearest[:, :1]) / self.temperature).exp()
        votes = features.new_zeros(len(features), self.classes)
        return votes.scatter_add_(1, self.labels[index], weight)

    def _neighbours(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Similarities and indices (N, k) of the nearest, most similar first."""
        nearest = queries.new_empty(len(queries), 0)
        index = self.labels.new_empty(len(queries), 0)
        for start in range(0, len(self.bank), self.bank_chunk):
            # Normalised here and not before: a large bank is held only once.
            bank = normalize(self.bank[start : start + self.bank_chunk], dim=1)
            similarity = queries @ bank.T
            best, rows = similarity.topk(min(self.k, similarity.shape[1]), dim=1)
            nearest = torch.cat([nearest, best], dim=1)
            index = torch.cat([index, rows + start], dim=1)
            nearest, kept = nearest.topk(min(self.k, nearest.shape[1]), dim=1)
            index = index.gather(1, kept)
        return nearest, index
