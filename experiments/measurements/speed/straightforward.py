"""Straightforward implementations to compare the package with."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD


def pnr_loss(
    q: Tensor,
    p: Tensor,
    k: Tensor,
    f: Tensor,
    queue: Tensor,
    past_queue: Tensor,
    temperature: float = 0.2,
) -> Tensor:
    """L1 + L2 of MoCoV2+ as two cross-entropies over all logits.

    Args:
        q: Online embeddings, shape (N, 2, D).
        p: Predictions g(q), shape (N, 2, D).
        k: Momentum embeddings, shape (N, 2, D).
        f: Past outputs, shape (N, 2, D).
        queue: Momentum keys Q, shape (2, K, D).
        past_queue: Past outputs R, shape (2, K, D).
        temperature: Temperature of both, tau and tau_d.
    """
    negatives = torch.cat([queue.clone(), past_queue.clone()], dim=1)  # (2, 2 K, D)
    negatives = negatives[[1, 0]]
    ssl_loss = _symmetric(q, k[:, [1, 0]], negatives, temperature)
    return ssl_loss + _symmetric(p, f, negatives, temperature)


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


@torch.no_grad()
def move_momentum(model: nn.Module, momentum_model: nn.Module, tau: float) -> None:
    """Exponential moving average, tensor by tensor."""
    pairs = zip(model.parameters(), momentum_model.parameters(), strict=True)
    for param, average in pairs:
        average.copy_(tau * average + (1 - tau) * param)


class LARS(SGD):
    """LARS tensor by tensor, with norms read back to the host.

    Args:
        params: Parameters.
        lr: Learning rate.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        super().__init__(params, lr, momentum=0.9, foreach=False)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Scale each gradient, then step."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None or param.dim() < 2:
                    continue
                w, g = param.norm().item(), param.grad.norm().item()
                if w > 0 and g > 0:
                    trust = 0.02 * w / (g + 1e-4 * w + 1e-8)
                    direction = param.grad + 1e-4 * param
                    param.grad = min(trust / group["lr"], 1.0) * direction
        super().step(closure)
