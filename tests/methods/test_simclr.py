import torch
from lightly.loss import NTXentLoss

from tests.conftest import VIEWS, tiny_simclr


def test_simclr_equals_lightly() -> None:
    method = tiny_simclr(temperature=0.3)
    output = method(VIEWS)
    expected = NTXentLoss(temperature=0.3)(output[:, 0], output[:, 1])
    assert torch.isclose(method.loss(output), expected, rtol=1e-5)


def test_simclr_released_form_is_an_option() -> None:
    ours, released = tiny_simclr(), tiny_simclr(positive_in_denominator=False)
    output, f = ours(VIEWS).detach(), torch.randn(6, 2, 8)
    p = torch.randn(6, 2, 8)
    assert ours.pnr_distill_loss(output, p, f) > released.pnr_distill_loss(output, p, f)
