"""Classifiers on frozen features: what judges a representation."""

from collections.abc import Callable
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


class LinearProbe:
    """Multinomial logistic regression on standardised features, to its optimum.

    Minimises mean cross-entropy + l2 / 2 |W|^2 by L-BFGS from W = 0: no learning
    rate, no random numbers, one solution.

    Args:
        l2: Weight of the squared norm of W.
        max_iterations: L-BFGS iterations at most.
    """

    name = "linear"

    def __init__(self, l2: float = 1e-3, max_iterations: int = 500) -> None:
        self.l2 = l2
        self.max_iterations = max_iterations

    @torch.enable_grad()
    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        """Fit to features (N, F) and labels (N,) in 0..C-1."""
        mean = features.mean(dim=0)
        scale = 1 / features.std(dim=0, correction=0).clamp_min(1e-6)
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
        weight, bias = weight.detach(), bias.detach()
        return lambda features: linear((features - mean) * scale, weight, bias)


class KNNProbe:
    """Weighted k nearest neighbours by cosine similarity.

    Each of the k neighbours votes for its class with weight e^(similarity / tau).

    Args:
        k: Neighbours.
        temperature: tau.
        chunk: Queries compared with the bank at a time.

    Source: Wu et al. 2018, arXiv 1805.01978, section 3.4.
    """

    name = "knn"

    def __init__(
        self, k: int = 20, temperature: float = 0.07, chunk: int = 1024
    ) -> None:
        self.k = k
        self.temperature = temperature
        self.chunk = chunk

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
        bank, votes = normalize(features, dim=1), one_hot(labels).to(features.dtype)

        def score(queries: Tensor) -> Tensor:
            similarity = normalize(queries, dim=1) @ bank.T  # (chunk, N)
            nearest, index = similarity.topk(self.k, dim=1)  # (chunk, k)
            weight = ((nearest - 1) / self.temperature).exp()
            return (weight[..., None] * votes[index]).sum(dim=1)

        return lambda queries: torch.cat(
            [score(q) for q in torch.split(queries, self.chunk)]
        )
