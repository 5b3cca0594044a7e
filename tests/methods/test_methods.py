import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from avalanche_pnr import PNRPlugin
from avalanche_pnr.losses import LossReduction
from avalanche_pnr.methods import SelfSupervisedMethod, infer_feature_dim
from avalanche_pnr.plugins import predict_past
from tests.conftest import METHODS, VIEWS, tiny_backbone, tiny_simclr


class Bare(SelfSupervisedMethod):
    """A method without losses about the past."""

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
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


@pytest.mark.parametrize("name", ["moco", "mocov3", "simclr", "byol"])
def test_per_image_losses_average_to_the_loss(name: str) -> None:
    method = METHODS[name]()
    output = method(VIEWS)
    each = method.loss(output, reduction="none")
    assert each.shape == (6,)
    assert torch.isclose(each.mean(), method.loss(output), rtol=1e-5)


def test_a_plugin_adds_the_heads_that_a_state_has() -> None:
    method, other = tiny_simclr(), tiny_simclr()
    plugin = PNRPlugin(predictor_hidden_dim=24)
    plugin.add_heads(other, among=method.state_dict())
    assert not other.heads
    plugin.add_heads(method)
    plugin.add_heads(other, among=method.state_dict())
    other.load_state_dict(method.state_dict())
    output = method(VIEWS)
    assert torch.equal(predict_past(method, output), predict_past(other, output))


def test_predictor_is_added_once_and_works_on_each_view() -> None:
    method = tiny_simclr()
    output = method(VIEWS)
    with pytest.raises(RuntimeError, match="SimCLR has no distillation predictor"):
        predict_past(method, output)
    PNRPlugin(predictor_hidden_dim=16).add_heads(method)
    predictor = method.heads["distillation_predictor"]
    assert predictor is not None
    PNRPlugin(predictor_hidden_dim=16).add_heads(method)
    assert method.heads["distillation_predictor"] is predictor
    expected = copy.deepcopy(predictor)(output[:, 1])
    assert torch.allclose(predict_past(method, output)[:, 1], expected, atol=1e-6)


@pytest.mark.parametrize("loss", ["distill_loss", "pseudo_negative_loss"])
def test_a_missing_loss_is_named(loss: str) -> None:
    method = Bare(nn.Flatten(), nn.Identity(), 4)
    with pytest.raises(NotImplementedError, match=rf"define {loss} in Bare"):
        getattr(method, loss)(torch.zeros(2, 2, 4), torch.zeros(2, 2, 4))


def test_pnr_losses_are_by_default_the_loss_and_the_weighted_two() -> None:
    class Toy(Bare):
        lambda_distill, lambda_pnr = 3.0, 0.5

        def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
            return (predicted - past).square().mean()

        def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
            return (predicted - past.flip(1)).square().mean()

    toy = Toy(nn.Flatten(), nn.Identity(), 4)
    output, p, f = (torch.randn(3, 2, 4) for _ in range(3))
    assert torch.equal(toy.pnr_ssl_loss(output, f), toy.loss(output))
    expected = 3.0 * toy.distill_loss(p, f) - 0.5 * toy.pseudo_negative_loss(p, f)
    assert torch.equal(toy.pnr_distill_loss(output, p, f), expected)


def test_dry_run_leaves_modes_and_statistics() -> None:
    backbone = tiny_backbone()
    backbone[1].eval()
    before = copy.deepcopy(backbone.state_dict())
    assert infer_feature_dim(backbone, (3, 8, 8)) == 8
    assert backbone.training
    assert not backbone[1].training
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())


@pytest.mark.parametrize("projector", [nn.Linear(8, 5), nn.Unflatten(1, (4, 2))])
def test_a_projector_of_another_shape_is_refused(projector: nn.Module) -> None:
    method = Bare(tiny_backbone(), projector, 4)
    shape = r"\(6, 5\)" if isinstance(projector, nn.Linear) else r"\(6, 4, 2\)"
    message = (
        rf"projector of Bare returns Tensor of shape {shape} for 6 images, not \(6, 4\)"
    )
    with pytest.raises(ValueError, match=message):
        method(VIEWS)


def test_without_a_predictor_predictions_are_projections() -> None:
    for make in METHODS.values():
        method = make()
        before = list(method.state_dict())
        PNRPlugin(predictor_hidden_dim=None).add_heads(method)
        output = method(VIEWS)
        assert torch.equal(predict_past(method, output), method.projection(output))
        assert list(method.state_dict()) == before
