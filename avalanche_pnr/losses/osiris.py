"""Osiris's loss across experiences."""

import torch
from torch import Tensor

from avalanche_pnr.losses.info_nce import NegativeSet, info_nce


def cross_task_loss(current: Tensor, remembered: Tensor, temperature: float) -> Tensor:
    """Attract views of an image and repel images of other experiences.

    The mean of two InfoNCE losses: of current images with all remembered views as
    negatives, and of remembered images with all current views. Images of one side are
    not contrasted with each other.

    Args:
        current: Embeddings of current images, L2-normalised, shape (N, 2, D).
        remembered: Embeddings of remembered images, likewise, shape (M, 2, D).
        temperature: tau.

    Source: Zhang et al. 2024, arXiv 2404.19132; the form is that of the authors' code.
    """
    z, u = torch.cat(current.unbind(1)), torch.cat(remembered.unbind(1))
    other_z, other_u = z.roll(len(current), dims=0), u.roll(len(remembered), dims=0)
    return (
        info_nce(z, other_z, [NegativeSet(u)], temperature)
        + info_nce(u, other_u, [NegativeSet(z)], temperature)
    ) / 2
