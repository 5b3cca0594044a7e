"""VICReg: variance, invariance and covariance."""

from lightly.loss import VICRegLoss
from torch import Tensor


def vicreg_loss(
    a: Tensor,
    b: Tensor,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Tensor:
    """Mean squared error, hinged standard deviations and decorrelation.

    Args:
        a: Embeddings, shape (N, D), not normalised.
        b: Embeddings of the other view, shape (N, D).
        invariance: Weight of the mean squared error of a and b.
        variance: Weight of the hinge losses of both views, which are summed.
        covariance: Weight of the squared off-diagonal covariances, summed over views.

    Source: Bardes et al. 2022, arXiv 2105.04906, equation 6.
    """
    # lightly averages the two hinge losses where the published recipe adds them.
    loss: Tensor = VICRegLoss(invariance, 2 * variance, covariance)(a, b)
    return loss
