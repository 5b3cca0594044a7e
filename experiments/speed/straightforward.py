"""The straightforward form of PNR on MoCoV2+, a rival for the package's."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def pnr_loss(
    q: Tensor,
    k: Tensor,
    p: Tensor,
    f: Tensor,
    queue: Tensor,
    past_queue: Tensor,
    temperature: float = 0.2,
) -> Tensor:
    """L1 + L2 as two cross-entropies over all logits.

    Args:
        q: Online embeddings, shape (N, 2, D).
        k: Momentum embeddings, shape (N, 2, D).
        p: Predictions g(q), shape (N, 2, D).
        f: Past outputs, shape (N, 2, D).
        queue: Momentum keys Q, shape (2, K, D).
        past_queue: Past outputs R, shape (2, K, D).
        temperature: tau and tau_d.
    """
    negatives = torch.cat([queue.clone(), past_queue.clone()], dim=1)  # (2, 2 K, D)
    negatives = negatives[[1, 0]]
    plasticity = _symmetric(q, k[:, [1, 0]], negatives, temperature)
    return plasticity + _symmetric(p, f, negatives, temperature)


def _symmetric(
    queries: Tensor, positives: Tensor, negatives: Tensor, temperature: float
) -> Tensor:
    target = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
    losses = []
    for view in (0, 1):
        query = queries[:, view]
        own = torch.einsum("nd,nd->n", query, positives[:, view]).unsqueeze(1)
        others = torch.einsum("nd,kd->nk", query, negatives[view])
        logits = torch.cat([own, others], dim=1) / temperature  # (N, 1 + 2 K)
        losses.append(cross_entropy(logits, target))
    return (losses[0] + losses[1]) / 2
