"""MoCo v3's symmetric loss within the batch, alone and with pseudo-negatives.

Embeddings are stacked views of shape (N, 2, D), L2-normalised; index v holds view v.
What MoCo V2+ takes from queues comes from the other images of the batch.
"""

import torch
from torch import Tensor

from avalanche_pnr.losses.info_nce import LossReduction, NegativeSet, info_nce


def moco_v3_loss(
    q: Tensor,
    k: Tensor,
    temperature: float,
    past: Tensor | None = None,
    reduction: LossReduction = "mean",
) -> Tensor:
    """Contrast each view's query with the other view's keys of the whole batch.

    With k' of the other view, the loss of image i is, summed over the views::

        l_i = -2 tau log(e^(q_i . k'_i / tau) / sum_j e^(q_i . k'_j / tau))

    With ``past`` the denominator also holds e^(q_i . f'_j / tau), j != i: the first
    term L1 of PNR, for MoCo v3 ours.

    Args:
        q: Predictions of the online embeddings, shape (N, 2, D).
        k: Momentum embeddings, shape (N, 2, D), without gradient.
        temperature: tau.
        past: Past model's outputs f, shape (N, 2, D), without gradient.
        reduction: ``"mean"`` for a scalar, ``"none"`` for shape (N,).

    Source: Chen et al. 2021, arXiv 2104.02057, equation 1 and algorithm 1 (the factor
    2 tau and the sum).
    """
    pseudo_negatives = [] if past is None else [past]
    each = _symmetric(q, k.flip(1), [k, *pseudo_negatives], temperature)
    return each.mean() if reduction == "mean" else each


def moco_v3_distillation(
    p: Tensor, f: Tensor, temperature: float, current: Tensor | None = None
) -> Tensor:
    """Contrast each view's prediction with the past output of the same view.

    With f' and k' of the other view, the loss of image i is, summed over the views::

        l_i = -2 tau_d log(e^(p_i . f_i / tau_d) / (e^(p_i . f_i / tau_d)
              + sum_{j != i} (e^(p_i . f'_j / tau_d) + e^(p_i . k'_j / tau_d))))

    This is :func:`~avalanche_pnr.losses.moco_distillation`, the second term L2 of PNR
    for MoCo V2+, with the batch for the queues and the factor of MoCo v3's loss. The
    transfer to MoCo v3 is ours.

    Args:
        p: Distillation predictor's outputs g(z), shape (N, 2, D).
        f: Past model's outputs, shape (N, 2, D), without gradient.
        temperature: tau_d.
        current: The pseudo-negatives, momentum embeddings k, shape (N, 2, D); ``None``
            leaves them out.

    Source: Cha et al. 2024, arXiv 2306.05101, section 3, for MoCo V2+.
    """
    pseudo_negatives = [] if current is None else [current]
    return _symmetric(p, f, [f, *pseudo_negatives], temperature).mean()


def _symmetric(
    queries: Tensor, positives: Tensor, negatives: list[Tensor], temperature: float
) -> Tensor:
    """Sum over the views, (N,); negatives are other images in the other view."""
    same_image = torch.eye(len(queries), dtype=torch.bool, device=queries.device)
    losses = [
        info_nce(
            queries[:, view],
            positives[:, view],
            [NegativeSet(each[:, other], same_image) for each in negatives],
            temperature,
            reduction="none",
        )
        for view, other in ((0, 1), (1, 0))
    ]
    return 2 * temperature * torch.stack(losses).sum(dim=0)
