from collections.abc import Callable

import pytest
import torch
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr import PNRPlugin
from avalanche_pnr.methods import MomentumMethod
from avalanche_pnr.plugins import predict_past
from tests.conftest import VIEWS, tiny_byol, tiny_moco, tiny_mocov3

MOMENTUM_METHODS = pytest.mark.parametrize(
    "make", [tiny_moco, tiny_mocov3, tiny_byol], ids=["moco", "mocov3", "byol"]
)
Make = Callable[..., MomentumMethod]


def parameters(method: MomentumMethod, prefix: str) -> list[Tensor]:
    parts = ("backbone", "projector")
    modules = [method.get_submodule(prefix + part) for part in parts]
    return [p.detach().clone() for module in modules for p in module.parameters()]


@MOMENTUM_METHODS
def test_momentum_networks_follow_the_cosine(make: Make) -> None:
    method = make(momentum_start=0.5, momentum_end=1.0)
    expected = parameters(method, "momentum_")
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(1.0)
    online = parameters(method, "")
    for step in range(3):
        tau = cosine_schedule(step, 3, 0.5, 1.0)
        pairs = zip(expected, online, strict=True)
        expected = [tau * old + (1 - tau) * new for old, new in pairs]
        method.after_step(method(VIEWS).detach(), step, 3)
        for actual, value in zip(
            parameters(method, "momentum_"), expected, strict=True
        ):
            assert torch.allclose(actual, value, atol=1e-6)


def test_mocos_queue_follows_the_keys() -> None:
    method = tiny_moco()
    for step in range(3):
        output = method(VIEWS).detach()
        method.after_step(output, step, 3)
        rows = slice(6 * step, 6 * step + 6)
        keys = normalize(output[..., 8:].transpose(0, 1), dim=-1)
        assert torch.equal(method.queue.keys[:, rows], keys)


@MOMENTUM_METHODS
def test_momentum_networks_are_state_but_no_parameters(make: Make) -> None:
    method = make()
    names = {name for name, _ in method.named_parameters()}
    assert not any(name.startswith("momentum") for name in names)
    assert any(name.startswith("backbone") for name in names)
    assert any(name.startswith("momentum_backbone") for name in method.state_dict())
    method.requires_grad_(False).requires_grad_(True)
    assert all(p.requires_grad for p in method.parameters())
    assert not any(p.requires_grad for p in method.momentum_backbone.parameters())


@MOMENTUM_METHODS
def test_state_dict_restores_queues_and_momentum_networks(make: Make) -> None:
    method, other = make(), make()
    method.after_step(method(VIEWS).detach(), 0, 5)
    method.enqueue_past(torch.randn(6, 2, 8))
    other.load_state_dict(method.state_dict())
    for name, value in method.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@MOMENTUM_METHODS
def test_gradients_reach_every_online_parameter_and_no_other(make: Make) -> None:
    method = make()
    PNRPlugin(predictor_hidden_dim=16).add_heads(method)
    output, past = method(VIEWS), torch.randn(6, 2, 8)
    loss = method.pnr_ssl_loss(output, past)
    loss = loss + method.pnr_distill_loss(output, predict_past(method, output), past)
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in method.parameters())
    for network in (method.momentum_backbone, method.momentum_projector):
        assert all(p.grad is None for p in network.parameters())


@MOMENTUM_METHODS
@pytest.mark.parametrize(("start", "end"), [(0.9, 0.5), (-0.1, 0.5), (0.9, 1.1)])
def test_momentum_must_rise_within_bounds(make: Make, start: float, end: float) -> None:
    with pytest.raises(ValueError, match=r"momentum must rise within 0\.\.1"):
        make(momentum_start=start, momentum_end=end)


@MOMENTUM_METHODS
def test_momentum_networks_run_in_train_mode_while_training(make: Make) -> None:
    method = make().train()
    before = method.momentum_backbone[1].running_mean.clone()
    method(VIEWS)
    assert not torch.equal(method.momentum_backbone[1].running_mean, before)


@MOMENTUM_METHODS
def test_momentum_projections_carry_no_gradient(make: Make) -> None:
    images = VIEWS[:, 0].clone().requires_grad_()
    assert not make().momentum_project(images).requires_grad
