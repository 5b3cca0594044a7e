import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from avalanche_pnr.losses import cross_task_loss


def test_it_is_what_is_found_by_hand() -> None:
    current = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    remembered = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    # z_1.z_2 = 0; z_1.u = 1, 1; z_2.u = 0, 0; u_1.u_2 = 1; u.z = 1, 0.
    of_current = (math.log(1 + 2 * math.e) + math.log(3)) / 2
    of_remembered = math.log(2 * math.e + 1) - 1
    loss = cross_task_loss(current, remembered, temperature=1.0)
    assert loss.item() == pytest.approx((of_current + of_remembered) / 2, rel=1e-9)
    assert loss.item() == pytest.approx(1.171149, abs=1e-6)


def test_it_is_cross_entropy_over_the_positive_and_the_other_side() -> None:
    z, u = (
        normalize(torch.randn(n, 2, 8, dtype=torch.float64), dim=-1) for n in (5, 3)
    )

    def one_way(own: Tensor, other: Tensor) -> Tensor:
        negatives = other.reshape(-1, 8)
        losses = [
            cross_entropy(
                torch.cat([own[i, v] @ own[i, 1 - v][:, None], negatives @ own[i, v]])
                / 0.1,
                torch.tensor(0),
            )
            for i in range(len(own))
            for v in (0, 1)
        ]
        return torch.stack(losses).mean()

    expected = (one_way(z, u) + one_way(u, z)) / 2
    torch.testing.assert_close(cross_task_loss(z, u, 0.1), expected)


def test_both_sides_are_learnt_from() -> None:
    z, u = (torch.randn(4, 2, 8, requires_grad=True) for _ in range(2))
    sides = (normalize(each, dim=-1) for each in (z, u))
    cross_task_loss(*sides, temperature=0.5).backward()
    assert z.grad is not None
    assert u.grad is not None
    assert z.grad.abs().min() > 0
    assert u.grad.abs().min() > 0
