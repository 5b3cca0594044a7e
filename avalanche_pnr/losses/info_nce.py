"""InfoNCE over any number of sets of negatives.

Every contrastive loss of this package (MoCo, SimCLR, CaSSLe, PNR) is a call of
:func:`info_nce`; they differ in what serves as query, positive and negative.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from avalanche_pnr.losses.log_sum_exp import log_sum_exp

LossReduction = Literal["mean", "none"]
"""Reductions of a loss: to a scalar, or none, for one value an image."""


class NegativeSet(NamedTuple):
    """Keys that serve as negatives for every query of a batch.

    Attributes:
        keys: L2-normalised embeddings, shape (M, D).
        excluded: Pairs that are not negatives, boolean of shape (N, M); ``None``
            when every key is a negative of every query.
    """

    keys: Tensor
    excluded: Tensor | None = None


def info_nce(
    query: Tensor,
    positive: Tensor,
    negatives: Iterable[NegativeSet],
    temperature: float,
    *,
    positive_in_denominator: bool = True,
    reduction: LossReduction = "mean",
) -> Tensor:
    """Compute InfoNCE with the union of several negative sets.

    The loss of image i is::

        l_i = -log(e^(q_i . k_i / tau)
                   / (e^(q_i . k_i / tau) + sum_S sum_{n in S} e^(q_i . n / tau)))

    The sets are never concatenated: each contributes one log-sum-exp. That of a set of
    constant keys without exclusions, a queue, holds no matrix (N, M), and is summed in
    float32 or more.

    Args:
        query: L2-normalised embeddings q, shape (N, D).
        positive: L2-normalised embeddings k, one for each query, shape (N, D).
        negatives: The sets S.
        temperature: tau, above zero.
        positive_in_denominator: Whether the positive is also a term of the
            denominator, as in InfoNCE. PNR's released SimCLR code omits it.
        reduction: ``"mean"`` for a scalar, ``"none"`` for shape (N,).

    Source: van den Oord et al. 2018, arXiv 1807.03748, equation 4.
    """
    scaled = query / temperature
    positive_logit = (scaled * positive).sum(dim=1)  # (N,)
    log_denominator = []
    for keys, excluded in negatives:
        if excluded is None:
            log_denominator.append(log_sum_exp(scaled, keys))
        else:
            similarity = (scaled @ keys.T).masked_fill(excluded, -torch.inf)  # (N, M)
            log_denominator.append(similarity.logsumexp(dim=1))
    if positive_in_denominator:
        log_denominator.append(positive_logit)
    loss = torch.stack(log_denominator).logsumexp(dim=0) - positive_logit
    return (loss.mean() if reduction == "mean" else loss).to(query.dtype)
