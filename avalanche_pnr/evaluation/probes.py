"""Classifiers on frozen features: what judges a representation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, normalize, one_hot

Readout = Callable[[Tensor], Tensor]
"""From features (N, F) to class scores (N, C)."""


class Probe(Protocol):
    """Fits a classifier to frozen features.

    Attributes:
        name: What stands beside its numbers.
    """

    name: str

    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        """Fit to features (N, F) and labels (N,)."""


def check_names(probes: Sequence[Probe]) -> None:
    """Refuse probes that could not be told apart.

    Raises:
        ValueError: If there is none, or two have the same name.
    """
    if not probes:
        raise ValueError("probes is empty: give one at least, LinearProbe() say")
    names = [probe.name for probe in probes]
    if len(set(names)) < len(names):
        raise ValueError(f"probes need different names, got {', '.join(names)}")


class LinearProbe:
    """Multinomial logistic regression on standardised features, to its optimum.

    Minimises mean cross-entropy + l2 / 2 |W|^2 by L-BFGS from W = 0: no learning
    rate, no random numbers, one solution.

    Args:
        l2: Weight of the squared norm of W.
        max_iterations: L-BFGS iterations at most.
        name: What stands beside its numbers.

    Raises:
        ValueError: If l2 is negative.
    """

    def __init__(
        self, l2: float = 1e-3, max_iterations: int = 500, name: str = "linear"
    ) -> None:
        if not l2 >= 0:
            raise ValueError(f"LinearProbe needs l2 >= 0, got {l2}")
        self.l2 = l2
        self.max_iterations = max_iterations
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} (logistic regression, L2 weight {self.l2:g}, L-BFGS)"

    @torch.enable_grad()
    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        """Fit to features (N, F) and labels (N,) in 0..C-1."""
        mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
        # Collapsed dimensions hold rounding noise, which must not be blown up.
        varies = deviation > 1e-5 * (1 + mean.abs())
        scale = torch.where(varies, 1 / deviation, torch.zeros_like(deviation))
        x = (features - mean) * scale
        weight = x.new_zeros(int(labels.max()) + 1, x.shape[1], requires_grad=True)
        bias = x.new_zeros(len(weight), requires_grad=True)

        def objective() -> Tensor:
            fit = cross_entropy(linear(x, weight, bias), labels)
            return fit + self.l2 / 2 * weight.square().sum()

        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=self.max_iterations,
            tolerance_grad=1e-5,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            value = objective()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return LinearReadout(mean, scale, weight.detach(), bias.detach())


class KNNProbe:
    """Weighted k nearest neighbours by cosine similarity.

    Each of the k neighbours votes for its class with weight e^(similarity / tau).

    Args:
        k: Neighbours.
        temperature: tau.
        chunk: Queries compared with the bank at a time.
        name: What stands beside its numbers.

    Raises:
        ValueError: If k or chunk is below 1 or the temperature not above 0.

    Source: Wu et al. 2018, arXiv 1805.01978, section 3.4.
    """

    def __init__(
        self,
        k: int = 20,
        temperature: float = 0.07,
        chunk: int = 1024,
        name: str = "knn",
    ) -> None:
        if not (k >= 1 and chunk >= 1 and temperature > 0):
            raise ValueError(
                "KNNProbe needs k >= 1, chunk >= 1 and temperature > 0, got "
                f"k={k}, chunk={chunk}, temperature={temperature}"
            )
        self.k = k
        self.temperature = temperature
        self.chunk = chunk
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} (k = {self.k}, temperature {self.temperature:g})"

    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        """Keep features (N, F) and labels (N,) as the bank.

        Raises:
            ValueError: If the bank has less than k features.
        """
        if len(features) < self.k:
            raise ValueError(
                f"{self.k} nearest neighbours cannot be found among {len(features)} "
                "features: lower k or give more training data"
            )
        votes = one_hot(labels).to(features.dtype)
        return KNNReadout(
            normalize(features, dim=1), votes, self.k, self.temperature, self.chunk
        )


@dataclass(frozen=True)
class LinearReadout:
    """A linear classifier of standardised features."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Logits (N, C) of features (N, F)."""
        return linear((features - self.mean) * self.scale, self.weight, self.bias)


@dataclass(frozen=True)
class KNNReadout:
    """A bank of L2-normalised features and the class each votes for."""

    bank: Tensor
    votes: Tensor
    k: int
    temperature: float
    chunk: int

    def __call__(self, features: Tensor) -> Tensor:
        """Sums of votes (N, C) for features (N, F)."""
        return torch.cat([self._vote(x) for x in torch.split(features, self.chunk)])

    def _vote(self, queries: Tensor) -> Tensor:
        similarity = normalize(queries, dim=1) @ self.bank.T  # (chunk, N)
        nearest, index = similarity.topk(self.k, dim=1)  # (chunk, k)
        weight = ((nearest - nearest[:, :1]) / self.temperature).exp()
        return (weight[..., None] * self.votes[index]).sum(dim=1)
