import pytest
import torch
from lightly.models.modules import BarlowTwinsProjectionHead
from torch import Tensor
from torch.nn.functional import cosine_similarity

from avalanche_pnr import BarlowTwins
from tests.conftest import VIEWS, tiny_backbone, tiny_barlow_twins


def redundancy(a: Tensor, b: Tensor, scale: float, off_diagonal: float) -> float:
    """The published sums over the entries of the cross-correlation."""
    a, b = ((x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() for x in (a, b))
    total = 0.0
    for d in range(a.shape[1]):
        for e in range(b.shape[1]):
            entry = float((a[:, d] * b[:, e]).mean())
            total += (1 - entry) ** 2 if d == e else off_diagonal * entry**2
    return scale * total


def test_the_projector_has_the_published_size_and_lightlys_layers() -> None:
    projector = BarlowTwins(tiny_backbone()).projector
    assert str(projector) == str(BarlowTwinsProjectionHead(8, 2048, 2048))


def test_options_are_the_projectors_sizes() -> None:
    method = BarlowTwins(tiny_backbone(), hidden_dim=5, projection_dim=7)
    assert str(method.projector) == str(BarlowTwinsProjectionHead(8, 5, 7))
    assert method(VIEWS).shape == (6, 2, 7)


def test_the_published_weights_are_the_defaults() -> None:
    method = tiny_barlow_twins()
    weights = (method.scale, method.lambda_off_diagonal)
    assert weights == (0.1, 0.005)
    assert (method.lambda_distill, method.lambda_pnr) == (1.0, 1.0)


@pytest.mark.parametrize(("scale", "off_diagonal"), [(0.1, 0.005), (0.7, 0.3)])
def test_loss_and_agree_are_the_equation(scale: float, off_diagonal: float) -> None:
    method = tiny_barlow_twins(scale=scale, lambda_off_diagonal=off_diagonal)
    output, p, f = torch.randn(3, 6, 2, 8, dtype=torch.float64)
    expected = redundancy(output[:, 0], output[:, 1], scale, off_diagonal)
    assert method.loss(output).item() == pytest.approx(expected, rel=1e-9)
    same_view = [redundancy(p[:, v], f[:, v], scale, off_diagonal) for v in range(2)]
    assert method.distill_loss(p, f).item() == pytest.approx(
        sum(same_view) / 2, rel=1e-9
    )


def test_differ_is_minus_the_cosine_with_the_other_view() -> None:
    p, f = torch.randn(2, 6, 2, 8)
    first = cosine_similarity(p[:, 0], f[:, 1]).mean()
    second = cosine_similarity(p[:, 1], f[:, 0]).mean()
    expected = -(first + second) / 2
    assert torch.isclose(
        tiny_barlow_twins().pseudo_negative_loss(p, f), expected, rtol=1e-5
    )


def test_pnr_distill_loss_weighs_both_losses() -> None:
    method = tiny_barlow_twins(lambda_distill=3.0, lambda_pnr=0.5)
    p, f = torch.randn(2, 6, 2, 8)
    expected = 3.0 * method.distill_loss(p, f) - 0.5 * method.pseudo_negative_loss(p, f)
    assert torch.equal(method.pnr_distill_loss(p, p, f), expected)
