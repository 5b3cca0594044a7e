"""Barlow Twins' redundancy reduction."""

from torch import Tensor
from torch.nn.functional import batch_norm


def barlow_twins_loss(
    a: Tensor, b: Tensor, scale: float = 0.1, lambda_off_diagonal: float = 5e-3
) -> Tensor:
    """Pull the cross-correlation of two batches of embeddings to the identity.

    The squares of C = A^T B / N, (D, D), add up to the sum of the products of A A^T and
    B B^T, (N, N), which are smaller at the published sizes.

    Args:
        a: Embeddings, shape (N, D); standardised inside, over the batch.
        b: Embeddings of the same images, shape (N, D).
        scale: Factor of the whole loss.
        lambda_off_diagonal: Weight of the off-diagonal entries.

    Source: Zbontar et al. 2021, arXiv 2103.03230, equation 1.
    """
    images = len(a)
    a, b = (batch_norm(each, None, None, training=True) for each in (a, b))
    diagonal = (a * b).sum(dim=0) / images  # C_dd, (D,)
    everything = ((a @ a.T) * (b @ b.T)).sum() / images**2
    off_diagonal = everything - diagonal.square().sum()
    return scale * ((1 - diagonal).square().sum() + lambda_off_diagonal * off_diagonal)
