import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.losses import (
    NegativeSet,
    contrastive_distillation,
    info_nce,
    simclr_distillation,
    simclr_loss,
)


def unit(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(
        torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1
    )


def by_hand(
    query: Tensor, positive: Tensor, negatives: list[list[Tensor]], tau: float
) -> list[float]:
    """The equation, term by term, in Python."""
    losses = []
    for q, k, own in zip(query, positive, negatives, strict=True):
        numerator = math.exp(float(q @ k) / tau)
        rest = sum(math.exp(float(q @ n) / tau) for n in own)
        losses.append(-math.log(numerator / (numerator + rest)))
    return losses


def test_equals_the_equation_for_several_sets_and_exclusions() -> None:
    q, k = unit(3, 4), unit(3, 4, seed=1)
    everyone, others = unit(5, 4, seed=2), unit(3, 4, seed=3)
    itself = torch.eye(3, dtype=torch.bool)
    sets = [NegativeSet(everyone), NegativeSet(others, itself)]
    negatives = [
        [*everyone, *(others[j] for j in range(3) if j != i)] for i in range(3)
    ]
    each = info_nce(q, k, sets, 0.3, reduction="none")
    assert each.tolist() == pytest.approx(by_hand(q, k, negatives, 0.3), rel=1e-12)
    assert info_nce(q, k, sets, 0.3).item() == pytest.approx(each.mean().item())


def test_sets_apart_equal_their_union() -> None:
    q, k, negatives = unit(4, 6), unit(4, 6, seed=1), unit(9, 6, seed=2)
    apart = info_nce(
        q, k, [NegativeSet(negatives[:2]), NegativeSet(negatives[2:])], 0.1
    )
    union = info_nce(q, k, [NegativeSet(negatives)], 0.1)
    assert torch.allclose(apart, union, rtol=1e-12)


def test_gradients_pass_gradcheck_through_queries_and_negatives() -> None:
    q, k, n = (unit(3, 4, seed=s).requires_grad_() for s in range(3))
    excluded = torch.eye(3, dtype=torch.bool)

    def loss(q: Tensor, k: Tensor, n: Tensor) -> Tensor:
        return info_nce(q, k, [NegativeSet(n, excluded)], 0.5)

    assert torch.autograd.gradcheck(loss, (q, k, n))


def test_without_positive_in_denominator_the_loss_can_be_negative() -> None:
    q = unit(2, 4)
    far = NegativeSet(-q.flip(0))
    assert info_nce(q, q, [far], 0.05, positive_in_denominator=False) < 0
    assert info_nce(q, q, [far], 0.05) > 0


def test_simclr_denominators_hold_what_the_equations_say() -> None:
    z, p, f = unit(3, 2, 4), unit(3, 2, 4, seed=1), unit(3, 2, 4, seed=2)
    rows, predicted, past = (
        [each[i, v] for v in range(2) for i in range(3)] for each in (z, p, f)
    )
    partner = [3, 4, 5, 0, 1, 2]
    ssl_loss = by_hand(
        torch.stack(rows),
        torch.stack([rows[j] for j in partner]),
        [
            [rows[j] for j in range(6) if j not in (i, partner[i])]
            + [past[j] for j in range(6) if j != i]
            for i in range(6)
        ],
        0.2,
    )
    distill_loss = by_hand(
        torch.stack(predicted),
        torch.stack(past),
        [
            [each[j] for each in (past, rows) for j in range(6) if j != i]
            for i in range(6)
        ],
        0.2,
    )
    assert simclr_loss(z, 0.2, f).item() == pytest.approx(sum(ssl_loss) / 6)
    assert simclr_distillation(p, f, 0.2, z).item() == pytest.approx(
        sum(distill_loss) / 6
    )


def test_pseudo_negatives_in_neither_is_not_cassle() -> None:
    p, f = unit(3, 2, 4), unit(3, 2, 4, seed=1)
    assert not torch.isclose(
        simclr_distillation(p, f, 0.2), contrastive_distillation(p, f, 0.2)
    )


def test_permuting_the_batch_changes_nothing() -> None:
    z, f = unit(5, 2, 4), unit(5, 2, 4, seed=1)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(simclr_loss(z, 0.2, f), simclr_loss(z[order], 0.2, f[order]))


def test_per_image_losses_average_to_the_loss() -> None:
    z = unit(5, 2, 4)
    each = simclr_loss(z, 0.2, reduction="none")
    assert each.shape == (5,)
    assert torch.isclose(each.mean(), simclr_loss(z, 0.2))
