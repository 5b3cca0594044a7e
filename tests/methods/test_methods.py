import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightly.loss import NTXentLoss
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor, nn
from torch.nn.functional import normalize

from avalanche_pnr.backbones import resnet18, resnet_small
from avalanche_pnr.losses import Reduction
from avalanche_pnr.methods import (
    MoCoV2Plus,
    PastModel,
    SelfSupervisedMethod,
    SimCLR,
    infer_feature_dim,
)
from tests.conftest import METHODS, tiny_backbone, tiny_moco, tiny_simclr

VIEWS = torch.rand(6, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Bare(SelfSupervisedMethod):
    """A method without verbs."""

    def loss(self, output: Tensor, reduction: Reduction = "mean") -> Tensor:
        return output.square().mean()


@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_images_give_features_and_views_one_output(
    make: Callable[[], SelfSupervisedMethod],
) -> None:
    method = make().eval()
    assert method(VIEWS[:, 0]).shape == (6, 8)
    output = method(VIEWS)
    assert output.shape[:2] == (6, 2)
    assert method.projection(output).shape == (6, 2, 8)


@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_per_image_losses_average_to_the_loss(
    make: Callable[[], SelfSupervisedMethod],
) -> None:
    method = make()
    output = method(VIEWS)
    each = method.loss(output, reduction="none")
    assert each.shape == (6,)
    assert torch.isclose(each.mean(), method.loss(output), rtol=1e-5)


def test_simclr_equals_lightly() -> None:
    method = tiny_simclr(temperature=0.3)
    output = method(VIEWS)
    expected = NTXentLoss(temperature=0.3)(output[:, 0], output[:, 1])
    assert torch.isclose(method.loss(output), expected, rtol=1e-5)


def test_simclr_released_form_is_an_option() -> None:
    ours, released = tiny_simclr(), tiny_simclr(positive_in_denominator=False)
    output, f = ours(VIEWS).detach(), torch.randn(6, 2, 8)
    p = torch.randn(6, 2, 8)
    assert ours.stability(output, p, f) > released.stability(output, p, f)


def test_momentum_follows_the_cosine_and_the_queue_the_keys() -> None:
    method = tiny_moco(momentum_start=0.5, momentum_end=1.0)
    weight = method.projector.layers[0].weight
    with torch.no_grad():
        weight.add_(1.0)
    expected = weight.detach() - 1.0
    for step in range(3):
        tau = cosine_schedule(step, 3, 0.5, 1.0)
        expected = tau * expected + (1 - tau) * weight.detach()
        output = method(VIEWS).detach()
        method.after_step(output, step, 3)
        actual = method.momentum_projector.layers[0].weight
        assert torch.allclose(actual, expected, atol=1e-6)
        rows = slice(6 * step, 6 * step + 6)
        keys = normalize(output[..., 8:].transpose(0, 1), dim=-1)
        assert torch.equal(method.queue.keys[:, rows], keys)


def test_momentum_networks_are_state_but_no_parameters() -> None:
    method = tiny_moco()
    names = {name for name, _ in method.named_parameters()}
    assert not any(name.startswith("momentum") for name in names)
    assert any(name.startswith("backbone") for name in names)
    assert any(name.startswith("momentum_backbone") for name in method.state_dict())
    method.requires_grad_(False).requires_grad_(True)
    assert all(p.requires_grad for p in method.parameters())
    assert not any(p.requires_grad for p in method.momentum_backbone.parameters())


def test_state_dict_restores_queues_and_momentum_networks() -> None:
    method, other = tiny_moco(), tiny_moco()
    method.after_step(method(VIEWS).detach(), 0, 5)
    method.remember(torch.randn(6, 2, 8))
    other.load_state_dict(method.state_dict())
    for name, value in method.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_state_dict_brings_the_distillation_predictor() -> None:
    method, other = tiny_simclr(), tiny_simclr()
    method.add_distillation_predictor(24)
    other.load_state_dict(method.state_dict())
    output = method(VIEWS)
    assert torch.equal(method.predict_past(output), other.predict_past(output))


def test_gradients_reach_the_online_network_only() -> None:
    method = tiny_moco()
    method.add_distillation_predictor(16)
    output, past = method(VIEWS), torch.randn(6, 2, 8)
    loss = method.plasticity(output, past)
    loss = loss + method.stability(output, method.predict_past(output), past)
    loss.backward()
    assert all(p.grad is not None for p in method.parameters())
    assert all(p.grad is None for p in method.momentum_backbone.parameters())


def test_past_model_is_frozen_in_eval_mode_and_runs_once_a_batch() -> None:
    method, past_model = tiny_moco().train(), PastModel()
    assert not past_model.exists
    past_model.snapshot(method)
    reference = copy.deepcopy(nn.Sequential(method.backbone, method.projector)).eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(1.0)
    method(VIEWS)
    first = past_model(VIEWS)
    assert past_model(VIEWS) is first
    assert not first.requires_grad
    for view in range(2):
        expected = reference(VIEWS[:, view])
        assert torch.allclose(first[:, view], expected, atol=1e-6)
    assert not torch.equal(past_model(VIEWS.flip(0)), first)


def test_past_model_notices_a_reused_input_buffer() -> None:
    method, past_model, buffer = tiny_moco(), PastModel(), VIEWS.clone()
    past_model.snapshot(method)
    first = past_model(buffer)
    buffer.copy_(VIEWS.flip(0))
    assert torch.equal(past_model(buffer), first.flip(0))


def test_no_past_in_the_first_experience() -> None:
    with pytest.raises(RuntimeError, match="no past model in the first experience"):
        PastModel()(VIEWS)


def test_predictor_is_added_once_and_works_on_each_view() -> None:
    method = tiny_simclr()
    output = method(VIEWS)
    with pytest.raises(RuntimeError, match="SimCLR has no distillation predictor"):
        method.predict_past(output)
    method.add_distillation_predictor(16)
    predictor = method.distillation_predictor
    assert predictor is not None
    method.add_distillation_predictor(16)
    assert method.distillation_predictor is predictor
    expected = copy.deepcopy(predictor)(output[:, 1])
    assert torch.allclose(method.predict_past(output)[:, 1], expected, atol=1e-6)


@pytest.mark.parametrize("verb", ["agree", "differ"])
def test_a_missing_verb_is_named(verb: str) -> None:
    method = Bare(nn.Flatten(), nn.Identity(), 4)
    with pytest.raises(NotImplementedError, match=rf"Bare does not define {verb}"):
        getattr(method, verb)(torch.zeros(2, 2, 4), torch.zeros(2, 2, 4))


def test_default_sums_are_loss_and_weighted_verbs() -> None:
    class Toy(Bare):
        lambda_distill, lambda_pnr = 3.0, 0.5

        def agree(self, predicted: Tensor, past: Tensor) -> Tensor:
            return (predicted - past).square().mean()

        def differ(self, predicted: Tensor, past: Tensor) -> Tensor:
            return (predicted - past.flip(1)).square().mean()

    toy = Toy(nn.Flatten(), nn.Identity(), 4)
    output, p, f = (torch.randn(3, 2, 4) for _ in range(3))
    assert torch.equal(toy.plasticity(output, f), toy.loss(output))
    expected = 3.0 * toy.agree(p, f) - 0.5 * toy.differ(p, f)
    assert torch.equal(toy.stability(output, p, f), expected)


@pytest.mark.parametrize("bad", [0.0, -0.1, float("nan")])
@pytest.mark.parametrize("name", ["temperature", "distillation_temperature"])
@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_a_temperature_must_be_positive(
    make: Callable[..., Any], name: str, bad: float
) -> None:
    with pytest.raises(ValueError, match="temperature must be above 0"):
        make(**{name: bad})


def test_momentum_must_rise_within_bounds() -> None:
    with pytest.raises(ValueError, match=r"momentum must rise within 0\.\.1"):
        tiny_moco(momentum_start=0.9, momentum_end=0.5)


def test_a_backbone_that_returns_maps_is_refused() -> None:
    maps = nn.Sequential(nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match=r"\(2, 4, 30, 30\).*nn.Flatten"):
        MoCoV2Plus(maps)
    with pytest.raises(ValueError, match="not one vector an image"):
        SimCLR(nn.Identity())


def test_dry_run_leaves_modes_and_statistics() -> None:
    backbone = tiny_backbone()
    backbone[1].eval()
    before = copy.deepcopy(backbone.state_dict())
    assert infer_feature_dim(backbone, (3, 8, 8)) == 8
    assert backbone.training
    assert not backbone[1].training
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize(
    ("backbone", "dim"),
    [
        (resnet_small(64), 64),
        (resnet_small(16, stem_stride=2), 16),
        (resnet18(), 512),
        (resnet18(small_images=False), 512),
    ],
    ids=["small", "small-stride2", "resnet18", "resnet18-imagenet"],
)
def test_backbones_return_vectors(backbone: nn.Module, dim: int, size: int) -> None:
    assert infer_feature_dim(backbone, (3, size, size)) == dim


def test_cifar_stem_is_the_published_one() -> None:
    backbone = resnet18()
    stem = backbone.conv1
    assert (stem.kernel_size, stem.stride, stem.padding) == ((3, 3), (1, 1), (2, 2))
    assert isinstance(backbone.maxpool, nn.Identity)


def test_width_of_the_small_resnet_is_checked() -> None:
    with pytest.raises(ValueError, match="multiple of 8, got 12"):
        resnet_small(12)
