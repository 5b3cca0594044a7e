import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor, nn

from avalanche_pnr import LessForgetPlugin, PFRPlugin, SelfSupervised
from avalanche_pnr.plugins.features import PastFeaturesPlugin
from tests.conftest import METHODS, tiny_simclr
from tests.plugins.conftest import train
from tests.plugins.marked import Recorder, double_precision, marked_stream


def less_forget() -> LessForgetPlugin:
    return LessForgetPlugin(lambda_features=0.6)


def pfr() -> PFRPlugin:
    return PFRPlugin(lambda_pfr=0.7, hidden_dim=16)


PLUGINS = [less_forget, pfr]
FEATURES = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]], dtype=torch.float64)
PAST = torch.tensor([[[4.0, 3.0], [2.0, 2.0]]], dtype=torch.float64)


def test_less_forget_is_half_the_mean_squared_distance() -> None:
    term = less_forget().feature_regularizer(tiny_simclr(), FEATURES, PAST)
    # 0.6 / 2 * (2 + 4) / 2
    assert term.item() == pytest.approx(0.9, rel=1e-9)


def test_pfr_is_the_mean_negative_cosine() -> None:
    method = tiny_simclr()
    method.heads["feature_predictor"] = nn.Identity()
    term = pfr().feature_regularizer(method, FEATURES, PAST)
    # -0.7 * (24 / 25 + 1 / sqrt(2)) / 2
    assert term.item() == pytest.approx(-0.5834873734152916, rel=1e-9)


class Terms(Recorder):
    """The equation, from copies of the networks."""

    def __init__(self, plugin: PastFeaturesPlugin) -> None:
        super().__init__()
        self.plugin = plugin

    def expected(self, strategy: SelfSupervised) -> Tensor:
        method, past = self.method, self.ended[-1]
        ssl = method.loss(copy.deepcopy(method)(strategy.mb_x))
        h = features(method, strategy.mb_x).unbind(1)
        h_past = features(past, strategy.mb_x).unbind(1)
        terms = []
        for now, then in zip(h, h_past, strict=True):
            if isinstance(self.plugin, PFRPlugin):
                p: Tensor = method.heads["feature_predictor"](now)
                cosine = (p * then).sum(1) / (p.norm(dim=1) * then.norm(dim=1))
                terms.append(-0.7 * cosine.mean())
            else:
                terms.append(0.6 / 2 * (now - then).square().sum(1).mean())
        return ssl + sum(terms) / 2


def features(method: Any, views: Tensor) -> Tensor:
    """Of the backbone, (N, V, F): of both views at once, or of one after the other."""
    if method.stack_views:
        rows: Tensor = method.backbone(views.flatten(0, 1))
        return rows.unflatten(0, views.shape[:2])
    return torch.stack([method.backbone(view) for view in views.unbind(1)], dim=1)


@pytest.mark.parametrize("stack_views", [False, True])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("make", PLUGINS)
@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_the_equation(
    name: str,
    make: Callable[[], Any],
    accumulate: int,
    stack_views: bool,
    make_strategy: Any,
) -> None:
    with double_precision():
        plugin = make()
        terms = Terms(plugin)
        method = METHODS[name]().double()
        method.stack_views = stack_views
        strategy = make_strategy(
            method,
            plugins=[plugin, terms],
            train_mb_size=8,
            accumulate=accumulate,
            lr=1e-3,
        )
        for experience in marked_stream(3).train_stream:
            strategy.train(experience)
    assert terms.compared == 4
    assert strategy.clock.train_iterations == 6


@pytest.mark.parametrize("make", PLUGINS)
def test_a_state_of_a_later_experience_can_be_loaded(
    make: Callable[[], Any], benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[make()])
    train(strategy, benchmark_of_digits, 3)
    state = strategy.model.state_dict()
    other = make_strategy(plugins=[]).model
    make().add_heads(other, among=state)
    other.load_state_dict(state)
    assert other.state_dict().keys() == state.keys()


def test_the_temporal_projection_is_trained(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[pfr()])
    train(strategy, benchmark_of_digits, 2)
    before = copy.deepcopy(strategy.model.heads["feature_predictor"].state_dict())
    strategy.train(benchmark_of_digits.train_stream[2])
    after = strategy.model.heads["feature_predictor"].state_dict()
    assert not torch.equal(before["layers.0.weight"], after["layers.0.weight"])


def test_bad_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="lambda_pfr must be 0 or more"):
        PFRPlugin(lambda_pfr=-1.0)
    with pytest.raises(ValueError, match="hidden_dim must be 1 or more"):
        PFRPlugin(hidden_dim=0)
    with pytest.raises(ValueError, match="lambda_features must be 0 or more"):
        LessForgetPlugin(lambda_features=-1.0)
