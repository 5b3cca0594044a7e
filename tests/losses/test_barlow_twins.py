import pytest
import torch
from lightly.loss import BarlowTwinsLoss

from avalanche_pnr.losses import barlow_twins_loss


@pytest.mark.parametrize(("images", "dim"), [(2, 2), (3, 20), (20, 3), (8, 8)])
def test_equals_the_loss_of_the_correlation_matrix(images: int, dim: int) -> None:
    a = torch.randn(images, dim, dtype=torch.float64).requires_grad_()
    b = torch.randn(images, dim, dtype=torch.float64).requires_grad_()
    values = barlow_twins_loss(a, b, 1.0, 0.3), BarlowTwinsLoss(0.3)(a, b)
    torch.testing.assert_close(*values, rtol=1e-12, atol=1e-12)
    gradients = [torch.stack(torch.autograd.grad(value, (a, b))) for value in values]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_single_precision_is_enough_in_published_sizes() -> None:
    a, b = torch.randn(2, 256, 2048)
    exact = BarlowTwinsLoss()(a.double(), b.double())
    assert barlow_twins_loss(a, b, 1.0).item() == pytest.approx(exact.item(), rel=1e-5)
