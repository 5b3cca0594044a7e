import copy

import pytest
import torch
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from torch import nn
from torch.nn.functional import cosine_similarity

from avalanche_pnr import BYOL, PNRPlugin
from avalanche_pnr.plugins import predict_past
from tests.conftest import VIEWS, tiny_backbone, tiny_byol


def test_the_heads_have_the_published_sizes_and_lightlys_layers() -> None:
    method = BYOL(tiny_backbone())
    assert str(method.projector) == str(BYOLProjectionHead(8, 4096, 256))
    assert str(method.momentum_projector) == str(method.projector)
    assert str(method.predictor) == str(BYOLPredictionHead(256, 4096, 256))


def test_options_are_the_heads_sizes() -> None:
    method = BYOL(
        tiny_backbone(), hidden_dim=5, projection_dim=7, predictor_hidden_dim=9
    )
    assert str(method.projector) == str(BYOLProjectionHead(8, 5, 7))
    assert str(method.predictor) == str(BYOLPredictionHead(7, 9, 7))


def test_the_published_weights_and_momenta_are_the_defaults() -> None:
    method = tiny_byol()
    assert (method.lambda_distill, method.lambda_pnr) == (1.0, 1.0)
    assert (method.momentum_start, method.momentum_end) == (0.99, 1.0)


def test_the_output_is_projection_prediction_and_momentum_projection() -> None:
    method = tiny_byol()
    with torch.no_grad():
        method.momentum_projector.layers[-1].bias.add_(1.0)
    networks = copy.deepcopy(method)
    output = method(VIEWS)
    assert output.shape == (6, 2, 24)
    for view in range(2):
        images = VIEWS[:, view]
        z = networks.projector(networks.backbone(images))
        k = networks.momentum_projector(networks.momentum_backbone(images))
        expected = torch.cat([z, networks.predictor(z), k], dim=1)
        assert torch.allclose(output[:, view], expected, atol=1e-6)
    assert torch.equal(method.projection(output), output[..., :8])


def test_the_loss_crosses_the_views_and_sums_them() -> None:
    z, h, k = torch.randn(3, 6, 2, 8, dtype=torch.float64)
    first = 2 - 2 * cosine_similarity(h[:, 0], k[:, 1])
    second = 2 - 2 * cosine_similarity(h[:, 1], k[:, 0])
    output = torch.cat([z, h, k], dim=-1)
    each = tiny_byol().loss(output, reduction="none")
    torch.testing.assert_close(each, first + second, rtol=1e-9, atol=0)
    torch.testing.assert_close(tiny_byol().loss(output), each.mean())


def test_the_distillation_predictor_receives_the_projection() -> None:
    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.received: list[torch.Tensor] = []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.received.append(x)
            return 2 * x

    method = tiny_byol()
    spy = Spy()
    method.add_head("distillation_predictor", lambda: spy)
    output = method(VIEWS)
    p = predict_past(method, output)
    assert torch.equal(torch.stack(spy.received, 1), output[..., :8])
    assert torch.equal(p, 2 * output[..., :8])


@pytest.mark.parametrize("term", ["loss", "distill_loss"])
def test_which_networks_learn_from_which_term(term: str) -> None:
    method = tiny_byol()
    PNRPlugin(predictor_hidden_dim=16).add_heads(method)
    output = method(VIEWS)
    if term == "loss":
        method.loss(output).backward()
        learn, rest = method.predictor, method.heads["distillation_predictor"]
    else:
        p = predict_past(method, output)
        method.pnr_distill_loss(output, p, torch.randn(6, 2, 8)).backward()
        learn, rest = method.heads["distillation_predictor"], method.predictor
    for network in (method.backbone, method.projector, learn):
        assert all(p.grad is not None and p.grad.any() for p in network.parameters())
    for network in (method.momentum_backbone, method.momentum_projector, rest):
        assert all(p.grad is None or not p.grad.any() for p in network.parameters())


def test_losses_about_the_past_are_distances_to_the_same_and_the_other_view() -> None:
    p, f = torch.randn(2, 6, 2, 8, dtype=torch.float64)

    def distance(other: int) -> torch.Tensor:
        pairs = [(p[:, v], f[:, v ^ other]) for v in range(2)]
        each = [(2 - 2 * cosine_similarity(a, b)).mean() for a, b in pairs]
        return sum(each) / 2

    method = tiny_byol(lambda_distill=3.0, lambda_pnr=0.5)
    torch.testing.assert_close(
        method.distill_loss(p, f), distance(0), rtol=1e-9, atol=0
    )
    torch.testing.assert_close(
        method.pseudo_negative_loss(p, f), distance(1), rtol=1e-9, atol=0
    )
    expected = 3.0 * distance(0) - 0.5 * distance(1)
    torch.testing.assert_close(method.pnr_distill_loss(p, p, f), expected)
