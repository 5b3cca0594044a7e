"""Reshaping and averaging of batches of views, (N, V, D)."""

from collections.abc import Callable

import torch
from torch import Tensor


def views_to_rows(embeddings: Tensor) -> Tensor:
    """Stack the views of a batch, [z_A; z_B]: (N, V, D) to (V * N, D)."""
    return embeddings.transpose(0, 1).flatten(0, 1)


def mean_over_views(row_values: Tensor, views: int) -> Tensor:
    """Average the values of an image's views: (V * N,) to (N,)."""
    return row_values.reshape(views, -1).mean(dim=0)


def mean_over_pairs(
    loss: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor
) -> Tensor:
    """Average a loss of two batches over the views of (N, V, D) and (N, V, D)."""
    pairs = zip(a.unbind(1), b.unbind(1), strict=True)
    return torch.stack([loss(x, y) for x, y in pairs]).mean()
