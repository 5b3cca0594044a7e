"""VICReg: variance, invariance and covariance."""

from lightly.loss.vicreg_loss import variance_loss
from torch import Tensor
from torch.nn.functional import mse_loss


def vicreg_loss(
    a: Tensor,
    b: Tensor,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Tensor:
    """Add up mean squared error, hinged standard deviations and decorrelation.

    Args:
        a: Embeddings, shape (N, D), not normalised, N of 2 or more.
        b: Embeddings of the other view, shape (N, D).
        invariance: Weight of the mean squared error of a and b.
        variance: Weight of the hinge losses of both views, which are summed.
        covariance: Weight of the squared off-diagonal covariances, summed over views.

    Source: Bardes et al. 2022, arXiv 2105.04906, equation 6.
    """
    loss: Tensor = (
        invariance * mse_loss(a, b)
        + variance * (variance_loss(a) + variance_loss(b))
        + covariance * (covariance_loss(a) + covariance_loss(b))
    )
    return loss


def covariance_loss(x: Tensor) -> Tensor:
    """Sum the squared covariances of different dimensions, divided by D.

    The squares of X^T X, (D, D), add up to those of X X^T, (N, N), which is smaller at
    the published sizes.

    Args:
        x: Embeddings, shape (N, D), N of 2 or more.

    Source: Bardes et al. 2022, arXiv 2105.04906, equations 3 and 4.
    """
    images, dim = x.shape
    centred = x - x.mean(dim=0)
    everything = (centred @ centred.T / (images - 1)).square().sum()
    variances = centred.square().sum(dim=0) / (images - 1)
    return (everything - variances.square().sum()) / dim
