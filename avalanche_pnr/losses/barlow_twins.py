"""Barlow Twins' redundancy reduction."""

from lightly.loss import BarlowTwinsLoss
from torch import Tensor


def barlow_twins_loss(
    a: Tensor, b: Tensor, scale: float = 0.1, lambda_off_diagonal: float = 5e-3
) -> Tensor:
    """Pull the cross-correlation of two batches of embeddings to the identity.

    Args:
        a: Embeddings, shape (N, D); standardised inside, over the batch.
        b: Embeddings of the same images, shape (N, D).
        scale: Factor of the whole loss.
        lambda_off_diagonal: Weight of the off-diagonal entries.

    Source: Zbontar et al. 2021, arXiv 2103.03230, equation 1.
    """
    loss: Tensor = BarlowTwinsLoss(lambda_param=lambda_off_diagonal)(a, b)
    return scale * loss
