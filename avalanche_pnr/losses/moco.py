"""MoCo's symmetric loss, alone and with the pseudo-negatives of PNR.

Views are stacked: embeddings are (N, 2, D), queues (2, K, D), both L2-normalised;
index v holds view v.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from avalanche_pnr.losses.info_nce import LossReduction, NegativeSet, info_nce


def moco_loss(
    q: Tensor,
    k: Tensor,
    queues: Sequence[Tensor],
    temperature: float,
    reduction: LossReduction = "mean",
) -> Tensor:
    """Contrast each view's query with the other view's key and queues.

    With ``queues=[Q]`` this is MoCo's loss; with ``queues=[Q, R]``, where R holds
    the past model's outputs, it is PNR's first term L1.

    Args:
        q: Online embeddings, shape (N, 2, D).
        k: Momentum embeddings, shape (N, 2, D), without gradient.
        queues: Negatives, each of shape (2, K, D).
        temperature: tau.
        reduction: ``"mean"`` for a scalar, ``"none"`` for shape (N,).

    Source: Chen et al. 2020, arXiv 2003.04297 (MoCo); Cha et al. 2024,
    arXiv 2306.05101, section 3 (PNR).
    """
    return _symmetric(q, k.flip(1), queues, temperature, reduction)


def moco_distillation(
    p: Tensor, f: Tensor, queues: Sequence[Tensor], temperature: float
) -> Tensor:
    """Contrast each view's prediction with the past output of the same view.

    With ``queues=[R, Q]`` this is PNR's second term L2: the past model's outputs
    R are the negatives, the momentum keys Q the pseudo-negatives.

    Args:
        p: Distillation predictor's outputs g(q), shape (N, 2, D).
        f: Past model's outputs, shape (N, 2, D), without gradient.
        queues: Negatives, each of shape (2, K, D).
        temperature: tau_d.

    Source: Cha et al. 2024, arXiv 2306.05101, section 3.
    """
    return _symmetric(p, f, queues, temperature, "mean")


def _symmetric(
    queries: Tensor,
    positives: Tensor,
    queues: Sequence[Tensor],
    temperature: float,
    reduction: LossReduction,
) -> Tensor:
    losses = [
        info_nce(
            queries[:, view],
            positives[:, view],
            [NegativeSet(queue[other]) for queue in queues],
            temperature,
            reduction=reduction,
        )
        for view, other in ((0, 1), (1, 0))
    ]
    return torch.stack(losses).mean(dim=0)
