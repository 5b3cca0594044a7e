"""BYOL's distance between a prediction and a target."""

from torch import Tensor
from torch.nn.functional import cosine_similarity

from avalanche_pnr.losses.info_nce import LossReduction


def byol_distance(
    prediction: Tensor, target: Tensor, reduction: LossReduction = "mean"
) -> Tensor:
    """Compute the squared distance of the L2-normalised embeddings, 2 - 2 cos.

    Args:
        prediction: Embeddings, shape (..., D), not necessarily normalised.
        target: Embeddings, shape (..., D).
        reduction: ``"mean"`` for a scalar, ``"none"`` for shape (...).

    Source: Grill et al. 2020, arXiv 2006.07733, equation 2.
    """
    distance = 2 - 2 * cosine_similarity(prediction, target, dim=-1)
    return distance.mean() if reduction == "mean" else distance
