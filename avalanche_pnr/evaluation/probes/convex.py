"""Logistic regression, to its optimum."""

import warnings

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from avalanche_pnr.evaluation.float64 import in_float64
from avalanche_pnr.evaluation.probes.base import (
    FeatureProbe,
    LinearReadout,
    standardisation,
    zero_head,
)

TOLERANCE = 1e-6
"""Largest gradient norm at the end, relative to that at W = 0."""

ROUNDING = 1e-12
"""Gradient norm that is due to rounding alone."""
ITERATIONS = 20
"""L-BFGS iterations between two looks at the gradient."""


class ConvexProbe(FeatureProbe):
    """Multinomial logistic regression on standardised features, to its optimum.

    Minimises mean cross-entropy + l2 / 2 |W|^2 by L-BFGS from W = 0 in float64, until
    the gradient is a millionth of what it was at the start: no learning rate, no
    random numbers, one solution.

    Args:
        l2: Weight of the squared norm of W, above 0.
        max_iterations: Largest number of L-BFGS iterations.
        name: Name in metrics and reports.

    Raises:
        ValueError: If l2 is not above 0 or max_iterations below 1.
    """

    def __init__(
        self, l2: float = 1e-3, max_iterations: int = 5000, name: str = "convex"
    ) -> None:
        if not l2 > 0:
            raise ValueError(
                f"ConvexProbe needs l2 > 0, got {l2}: without a penalty separable "
                "classes have no optimum"
            )
        if max_iterations < 1:
            raise ValueError(
                f"ConvexProbe needs max_iterations >= 1, got {max_iterations}"
            )
        self.l2 = l2
        self.max_iterations = max_iterations
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} (logistic regression, L2 weight {self.l2:g}, L-BFGS)"

    @torch.enable_grad()
    def fit(self, features: Tensor, labels: Tensor) -> LinearReadout:
        """Fit to features (N, F) and labels (N,) in 0..C-1.

        Warns:
            RuntimeWarning: If the optimum is not reached within ``max_iterations``.
        """
        features = in_float64(features)
        labels = labels.to(features.device)
        mean, scale = standardisation(features)
        x = (features - mean) * scale
        weight, bias = zero_head(x, int(labels.max()) + 1)
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=ITERATIONS,
            tolerance_grad=0,
            tolerance_change=0,
            history_size=30,
            line_search_fn="strong_wolfe",
        )

        def gradients() -> tuple[Tensor, tuple[Tensor, ...]]:
            fit = cross_entropy(linear(x, weight, bias), labels)
            value = fit + self.l2 / 2 * weight.square().sum()
            return value, torch.autograd.grad(value, [weight, bias])

        def objective() -> Tensor:
            value, (weight.grad, bias.grad) = gradients()
            return value

        def gradient() -> float:
            of_weight, of_bias = gradients()[1]
            return float(of_weight.norm().hypot(of_bias.norm()))

        start = rest = gradient()
        enough = max(TOLERANCE * start, ROUNDING)
        for _ in range(0, self.max_iterations, ITERATIONS):
            if rest <= enough:
                break
            optimizer.step(objective)  # type: ignore[no-untyped-call]
            rest = gradient()
        if not rest <= enough:
            warnings.warn(
                f"{self} stopped at a gradient of {rest / start:.1e} of the start, "
                f"above {TOLERANCE:g}: raise max_iterations or l2",
                RuntimeWarning,
                stacklevel=2,
            )
        details = {"GradientRatio": rest / start if start > ROUNDING else 0.0}
        return LinearReadout(mean, scale, weight.detach(), bias.detach(), details)
