"""CaSSLe's distillation for contrastive methods."""

import torch
from torch import Tensor

from avalanche_pnr.losses.info_nce import NegativeSet, info_nce


def contrastive_distillation(p: Tensor, f: Tensor, temperature: float) -> Tensor:
    """Average InfoNCE of predictions against past outputs and vice versa.

    The denominators hold every row of the batch; no current-model embedding is a
    negative. The other methods distil with their own SSL loss of (p, f).

    Args:
        p: Distillation predictor's outputs, L2-normalised, shape (N, 2, D).
        f: Past model's outputs, L2-normalised, shape (N, 2, D), without gradient.
        temperature: tau_d.

    Source: Fini et al. 2022, arXiv 2112.04215, equation 5.
    """
    predicted, past = torch.cat(p.unbind(1)), torch.cat(f.unbind(1))  # (2 N, D)
    itself = torch.eye(len(past), dtype=torch.bool, device=past.device)
    return (
        info_nce(predicted, past, [NegativeSet(past, itself)], temperature)
        + info_nce(past, predicted, [NegativeSet(predicted, itself)], temperature)
    ) / 2
