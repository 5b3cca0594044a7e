"""SimCLR's NT-Xent loss, alone and with the pseudo-negatives of PNR.

Embeddings are stacked views of shape (N, 2, D), L2-normalised. The equations run
over the 2N rows [z_A; z_B]; i' is the other view of row i.
"""

import torch
from torch import Tensor

from avalanche_pnr.losses.info_nce import LossReduction, NegativeSet, info_nce


def simclr_loss(
    z: Tensor,
    temperature: float,
    past: Tensor | None = None,
    reduction: LossReduction = "mean",
) -> Tensor:
    """Compute NT-Xent: attract z_i and z_i', repel z_i and every other z_j, j != i.

    With ``past`` this is PNR's first term L1, whose denominator also holds the
    past model's f_j, j != i.

    Args:
        z: Online embeddings, shape (N, 2, D).
        temperature: tau.
        past: Past model's outputs f, shape (N, 2, D), without gradient.
        reduction: ``"mean"`` for a scalar, ``"none"`` for shape (N,).

    Source: Chen et al. 2020, arXiv 2002.05709, equation 1 (SimCLR); Cha et al.
    2024, arXiv 2306.05101, section 3 (PNR).
    """
    rows = torch.cat(z.unbind(1))  # (2 N, D)
    itself = torch.eye(len(rows), dtype=torch.bool, device=z.device)
    other_view = itself.roll(z.shape[0], dims=1)
    negatives = [NegativeSet(rows, itself | other_view)]
    if past is not None:
        negatives.append(NegativeSet(torch.cat(past.unbind(1)), itself))
    positives = rows.roll(z.shape[0], dims=0)
    loss = info_nce(rows, positives, negatives, temperature, reduction="none")
    each = loss.reshape(2, -1).mean(dim=0)  # (N,)
    return each.mean() if reduction == "mean" else each


def simclr_distillation(
    p: Tensor,
    f: Tensor,
    temperature: float,
    current: Tensor | None = None,
    positive_in_denominator: bool = True,
) -> Tensor:
    """Compute PNR's term L2: attract p_i and f_i, repel p_i and f_j, z_j, j != i.

    Args:
        p: Distillation predictor's outputs g(z), shape (N, 2, D).
        f: Past model's outputs, shape (N, 2, D), without gradient.
        temperature: tau_d.
        current: The pseudo-negatives z, shape (N, 2, D); ``None`` leaves them out.
        positive_in_denominator: ``False`` gives the released form, whose
            denominator lacks p_i.f_i, so that the loss can be negative.

    Source: Cha et al. 2024, arXiv 2306.05101, section 3.
    """
    rows, positives = torch.cat(p.unbind(1)), torch.cat(f.unbind(1))  # (2 N, D)
    itself = torch.eye(len(rows), dtype=torch.bool, device=p.device)
    negatives = [NegativeSet(positives, itself)]
    if current is not None:
        negatives.append(NegativeSet(torch.cat(current.unbind(1)), itself))
    return info_nce(
        rows,
        positives,
        negatives,
        temperature,
        positive_in_denominator=positive_in_denominator,
    )
