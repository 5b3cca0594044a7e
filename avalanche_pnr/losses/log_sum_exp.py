"""Log-sum-exp of the similarities of queries and keys.

A queue of K keys would make a matrix (N, K) of similarities, which automatic
differentiation keeps, and passes over it take most of the time of MoCo's loss. Queues
are constants: all that the gradient needs of them is their softmax-weighted mean,
which is as small as the queries and is found in the same pass, a chunk of keys at a
time.

Source of the running softmax: Milakov and Gimelshein 2018, arXiv 1805.02867.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

HELD_ON_CPU, HELD_ON_GPU = 2**17, 2**22
"""Number of similarities held at a time, which fit in the cache."""


def log_sum_exp(query: Tensor, keys: Tensor) -> Tensor:
    """Compute the logarithm of ``sum_m exp(q_n . k_m)``, shape (N,).

    Keys that need no gradient cost no memory that grows with their number. The result
    then has one derivative, not two.

    Args:
        query: Queries divided by the temperature, shape (N, D).
        keys: Keys, shape (M, D), M of 1 or more.
    """
    if keys.requires_grad:
        return (query @ keys.T).logsumexp(dim=1)
    total: Tensor = _OverConstantKeys.apply(query, keys)
    return total


class _OverConstantKeys(Function):
    """Log-sum-exp, with its gradient: the mean key by softmax weights."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor) -> Tensor:
        # Under autocast the products are of low precision, the sums are not.
        dtype = torch.promote_types(query.dtype, torch.float32)
        largest = query.new_full((len(query), 1), -torch.inf, dtype=dtype)
        total = torch.zeros_like(largest)
        weighted_keys = torch.zeros_like(query, dtype=dtype)
        for chunk in torch.split(keys, _chunk_length(query)):
            similarity = (query @ chunk.T).to(dtype)
            before = largest
            largest = torch.maximum(before, similarity.amax(dim=1, keepdim=True))
            weights = similarity.sub_(largest).exp_()
            kept = (before - largest).exp()
            total = kept * total + weights.sum(dim=1, keepdim=True)
            weighted_keys = kept * weighted_keys + weights.to(chunk.dtype) @ chunk
        ctx.save_for_backward(query, weighted_keys / total)
        return (largest + total.log()).squeeze(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        query, mean_key = ctx.saved_tensors
        return _MeanKey.apply(query, gradient.unsqueeze(1) * mean_key), None


class _MeanKey(Function):
    """The gradient of a query; differentiating it again is refused."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return gradient

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise NotImplementedError(
            "InfoNCE over constant keys has no second derivative: give it keys that "
            "require gradients (keys.requires_grad_()) where one is needed"
        )


def _chunk_length(query: Tensor) -> int:
    held = HELD_ON_CPU if query.device.type == "cpu" else HELD_ON_GPU
    return max(1, held // max(1, len(query)))
