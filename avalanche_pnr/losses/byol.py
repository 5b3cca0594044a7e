"""BYOL's distance between a prediction and a target."""

from torch import Tensor
from torch.nn.functional import cosine_similarity


def byol_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared distance of the L2-normalised embeddings, 2 - 2 cos, batch mean.

    Args:
        prediction: Embeddings, shape (..., D), not necessarily normalised.
        target: Embeddings, shape (..., D).

    Source: Grill et al. 2020, arXiv 2006.07733, equation 2.
    """
    return (2 - 2 * cosine_similarity(prediction, target, dim=-1)).mean()
