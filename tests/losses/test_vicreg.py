import pytest
import torch
from lightly.loss.vicreg_loss import covariance_loss as from_the_matrix

from avalanche_pnr.losses.vicreg import covariance_loss


@pytest.mark.parametrize(("images", "dim"), [(2, 1), (3, 20), (20, 3), (8, 8)])
def test_the_covariance_term_is_that_of_the_covariance_matrix(
    images: int, dim: int
) -> None:
    x = torch.randn(images, dim, dtype=torch.float64).add_(3).requires_grad_()
    values = covariance_loss(x), from_the_matrix(x)
    torch.testing.assert_close(*values, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(value, x)[0] for value in values]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradgradcheck(covariance_loss, x)


def test_the_covariance_term_survives_single_precision_in_published_sizes() -> None:
    x = torch.randn(256, 2048)
    exact = from_the_matrix(x.double())
    assert covariance_loss(x).item() == pytest.approx(exact.item(), rel=1e-5)
