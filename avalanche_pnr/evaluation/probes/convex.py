"""Logistic regression, to its optimum."""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import linear, one_hot

from avalanche_pnr.evaluation.float64 import in_float64
from avalanche_pnr.evaluation.probes.base import (
    FeatureProbe,
    LinearReadout,
    standardisation,
)

TOLERANCE = 1e-6
"""Largest gradient norm at the end, relative to that at W = 0."""

ROUNDING = 1e-12
"""Gradient norm that is due to rounding alone."""

HISTORY = 30
"""Steps from which L-BFGS estimates the curvature."""


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

    def fit(self, features: Tensor, labels: Tensor) -> LinearReadout:
        """Fit to features (N, F) and labels (N,) in 0..C-1.

        Warns:
            RuntimeWarning: If the optimum is not reached within ``max_iterations``.
        """
        features = in_float64(features)
        mean, scale = standardisation(features)
        objective = _Objective((features - mean) * scale, labels, self.l2)
        zero = np.zeros(objective.shape.numel())
        start = float(np.linalg.norm(objective(zero)[1]))
        enough = max(TOLERANCE * start, ROUNDING)
        end, norm = _minimise(objective, zero, enough, self.max_iterations)
        if not norm <= enough:
            warnings.warn(
                f"{self} stopped at a gradient of {norm / start:.1e} of the start, "
                f"above {TOLERANCE:g}: raise max_iterations or l2",
                RuntimeWarning,
                stacklevel=2,
            )
        weight, bias = objective.head(end)
        details = {"GradientRatio": norm / start if start > ROUNDING else 0.0}
        return LinearReadout(mean, scale, weight, bias, details)


class _Objective:
    """Value and gradient of the objective, on the device of the features.

    Args:
        x: Standardised features, (N, F), float64.
        labels: Their labels, (N,).
        l2: Weight of the squared norm of W.

    Attributes:
        shape: Shape (C, F + 1) of W with the bias as its last column.
    """

    def __init__(self, x: Tensor, labels: Tensor, l2: float) -> None:
        self.x = x
        self.targets = one_hot(labels.to(x.device)).to(x.dtype)
        self.l2 = l2
        self.shape = torch.Size([self.targets.shape[1], x.shape[1] + 1])

    def head(self, flat: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        """Split parameters into weight (C, F) and bias (C,)."""
        both = torch.tensor(flat, device=self.x.device).view(self.shape)
        return both[:, :-1].contiguous(), both[:, -1].contiguous()

    def __call__(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Compute the value and its gradient for parameters of C (F + 1) numbers."""
        weight, bias = self.head(flat)
        log_p = linear(self.x, weight, bias).log_softmax(dim=1)
        value = -(self.targets * log_p).sum() / len(self.x)
        residual = (log_p.exp() - self.targets) / len(self.x)
        of_weight = residual.T @ self.x + self.l2 * weight
        gradient = torch.cat([of_weight, residual.sum(dim=0)[:, None]], dim=1)
        value = value + self.l2 / 2 * weight.square().sum()
        return value.item(), gradient.flatten().cpu().numpy()


def _minimise(
    objective: _Objective, start: NDArray[np.float64], enough: float, iterations: int
) -> tuple[NDArray[np.float64], float]:
    """Run L-BFGS until the gradient's norm is ``enough``; return the end and that."""
    options: dict[str, Any] = {
        "maxcor": HISTORY,
        "maxiter": iterations,
        "maxfun": 100 * iterations,
        "ftol": 0.0,
        # SciPy's is for the largest component; then the norm is below, too.
        "gtol": enough / np.sqrt(start.size),
    }
    result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return result.x, float(np.linalg.norm(result.jac))
