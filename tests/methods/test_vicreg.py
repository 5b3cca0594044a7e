import pytest
import torch
from lightly.models.modules.heads import VICRegProjectionHead
from torch import Tensor

from avalanche_pnr import VICReg
from tests.conftest import VIEWS, tiny_backbone, tiny_vicreg


def three_terms(a: Tensor, b: Tensor) -> tuple[float, float, float]:
    """Invariance, variance and covariance, as published."""
    variance = covariance = 0.0
    for x in (a, b):
        deviation = (x.var(dim=0, unbiased=True) + 1e-4).sqrt()
        variance += (1 - deviation).clamp(min=0).mean().item()
        matrix = torch.cov(x.T)
        off_diagonal = matrix - torch.diag(torch.diag(matrix))
        covariance += off_diagonal.square().sum().item() / x.shape[1]
    return (a - b).square().mean().item(), variance, covariance


def test_the_projector_has_the_published_size_and_lightlys_layers() -> None:
    projector = VICReg(tiny_backbone()).projector
    assert str(projector) == str(VICRegProjectionHead(8, 2048, 2048))


def test_options_are_the_projectors_sizes() -> None:
    method = VICReg(tiny_backbone(), hidden_dim=5, projection_dim=7)
    assert str(method.projector) == str(VICRegProjectionHead(8, 5, 7))
    assert method(VIEWS).shape == (6, 2, 7)


def test_the_published_weights_are_the_defaults() -> None:
    method = tiny_vicreg()
    assert (method.lambda_distill, method.lambda_pnr) == (25.0, 23.0)


@pytest.mark.parametrize(
    "options", [{}, {"invariance": 2.0, "variance": 3.0, "covariance": 5.0}]
)
def test_the_loss_is_the_weighted_sum(options: dict[str, float]) -> None:
    output = 0.7 * torch.randn(6, 2, 8, dtype=torch.float64)
    weights = list(options.values()) or [25.0, 25.0, 1.0]
    terms = three_terms(output[:, 0], output[:, 1])
    expected = sum(w * term for w, term in zip(weights, terms, strict=True))
    actual = tiny_vicreg(**options).loss(output).item()
    assert actual == pytest.approx(expected, rel=1e-9)


def test_losses_about_the_past_are_squared_errors_of_the_same_and_the_other_view() -> (
    None
):
    p, f = 3 * torch.randn(2, 6, 2, 8, dtype=torch.float64)
    same = (p - f).square().mean()
    other = (p - f[:, [1, 0]]).square().mean()
    method = tiny_vicreg(lambda_distill=3.0, lambda_pnr=0.5)
    torch.testing.assert_close(method.distill_loss(p, f), same)
    torch.testing.assert_close(method.pseudo_negative_loss(p, f), other)
    torch.testing.assert_close(method.pnr_distill_loss(p, p, f), 3 * same - 0.5 * other)


@pytest.mark.parametrize("lambda_pnr", [25.0, 26.0])
def test_a_loss_without_bound_is_refused(lambda_pnr: float) -> None:
    message = (
        rf"lambda_pnr={lambda_pnr:g} must be below lambda_distill=25.*without bound"
    )
    with pytest.raises(ValueError, match=message):
        tiny_vicreg(lambda_pnr=lambda_pnr)
    assert tiny_vicreg(lambda_pnr=24.9).lambda_pnr == 24.9


def test_the_bound_is_the_given_lambda_distill() -> None:
    with pytest.raises(
        ValueError, match="lambda_pnr=23 must be below lambda_distill=2"
    ):
        tiny_vicreg(lambda_distill=2.0)
    assert tiny_vicreg(lambda_distill=2.0, lambda_pnr=0.0).lambda_pnr == 0.0
