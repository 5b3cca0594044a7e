"""InfoNCE over any number of sets of negatives.

Every contrastive loss of this package (MoCo, SimCLR, CaSSLe, PNR) is a call of
:func:`info_nce`; they differ in what is a query, a positive and a negative.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Reduction = Literal["mean", "none"]


class NegativeSet(NamedTuple):
    """Keys that every query of a batch is to differ from.

    Attributes:
        keys: L2-normalised embeddings, shape (M, D).
        excluded: Pairs that are no negatives, boolean of shape (N, M); ``None``
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
    reduction: Reduction = "mean",
) -> Tensor:
    r"""InfoNCE with the union of several negative sets.

    .. math::
        \ell_i = -\log \frac{e^{q_i \cdot k_i / \tau}}
        {e^{q_i \cdot k_i / \tau} + \sum_S \sum_{n \in S} e^{q_i \cdot n / \tau}}

    The sets are never concatenated: each contributes one log-sum-exp.

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
    positive_logit = (query * positive).sum(dim=1) / temperature  # (N,)
    log_denominator = [_log_sum_exp(query, each, temperature) for each in negatives]
    if positive_in_denominator:
        log_denominator.append(positive_logit)
    loss = torch.stack(log_denominator).logsumexp(dim=0) - positive_logit
    return loss.mean() if reduction == "mean" else loss


def _log_sum_exp(query: Tensor, negatives: NegativeSet, temperature: float) -> Tensor:
    logits = query @ negatives.keys.T / temperature  # (N, M)
    if negatives.excluded is not None:
        logits = logits.masked_fill(negatives.excluded, -torch.inf)
    return logits.logsumexp(dim=1)
