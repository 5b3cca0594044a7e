"""Where the past model comes from: the end of an experience, or a moving average."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr import (
    CaSSLePlugin,
    ContinualLoss,
    LessForgetPlugin,
    PFRPlugin,
    PNRPlugin,
    SelfSupervised,
)
from avalanche_pnr.methods import PastModel
from avalanche_pnr.plugins import PastModelPlugin
from avalanche_pnr.training import distributed_forward
from tests.conftest import METHODS, VIEWS, tiny_moco, tiny_simclr
from tests.plugins.conftest import Losses, train

DECAY = 0.8
PLUGINS = (PNRPlugin, CaSSLePlugin, PFRPlugin, LessForgetPlugin)


def tensors(model: Any) -> dict[str, Tensor]:
    """Copies of backbone and projector, named as in the past model."""
    return copy.deepcopy(nn.Sequential(model.backbone, model.projector).state_dict())


class Weights(SupervisedPlugin):
    """Copies the networks before the first step and after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Tensor]] = []

    def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if not self.taken:
            self.taken.append(tensors(strategy.model))

    def after_training_iteration(self, strategy: SelfSupervised, **kw: Any) -> None:
        self.taken.append(tensors(strategy.model))


def assert_average(past: PastModel, taken: list[dict[str, Tensor]]) -> None:
    """w_past = d^k w_0 + (1 - d) sum_{i=1..k} d^(k-i) w_i, and the last counts."""
    steps = len(taken) - 1
    for name, actual in past.state_dict().items():
        if not actual.is_floating_point():
            assert torch.equal(actual, taken[-1][name])
            continue
        expected = DECAY**steps * taken[0][name].double()
        for i in range(1, steps + 1):
            share = (1 - DECAY) * DECAY ** (steps - i)
            expected += share * taken[i][name].double()
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_average_after_k_steps_is_that_of_the_equation(
    plugin: type[PastModelPlugin], benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    weights = Weights()
    plugins = [plugin(past="ema", ema_decay=DECAY), weights]
    strategy = make_strategy(tiny_simclr(), plugins=plugins)
    for number, experience in enumerate(benchmark_of_digits.train_stream[:3]):
        strategy.train(experience)
        assert len(weights.taken) == 1 + 3 * (number + 1)
        assert_average(strategy.past_model, weights.taken)
    network = strategy.past_model.network
    assert not network.training
    assert not any(each.requires_grad for each in network.parameters())
    assert not torch.equal(
        weights.taken[0]["0.1.running_mean"], weights.taken[-1]["0.1.running_mean"]
    )


def test_steps_of_several_batches_move_it_once(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    weights = Weights()
    strategy = make_strategy(
        tiny_simclr(),
        plugins=[PNRPlugin(past="ema", ema_decay=DECAY), weights],
        train_mb_size=12,
        accumulate=2,
    )
    train(strategy, benchmark_of_digits, 3)
    batches = weights.taken[1:]
    assert len(batches) == 3 * 4
    assert_average(strategy.past_model, [weights.taken[0], *batches[1::2]])


@pytest.mark.parametrize("reverse", [False, True])
def test_two_plugins_share_one_average_and_one_pass_a_batch(
    reverse: bool, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    weights, losses = Weights(), Losses()
    past: dict[str, Any] = {"past": "ema", "ema_decay": DECAY}
    pair = [PNRPlugin(**past), CaSSLePlugin(**past)]
    plugins = [*(pair[::-1] if reverse else pair), weights, losses]
    strategy = make_strategy(tiny_moco(), plugins=plugins)
    strategy.train(benchmark_of_digits.train_stream[0])
    assert_average(strategy.past_model, weights.taken)
    assert losses.past_calls == len(losses.values[0]) == 3


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("method", METHODS)
def test_streams_that_hide_their_boundaries_are_learnt_from(
    method: str,
    plugin: type[PastModelPlugin],
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    class Watch(SupervisedPlugin):
        def __init__(self) -> None:
            super().__init__()
            self.past: list[Tensor] = []

        def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            assert strategy.loss.isfinite()
            assert strategy.loss_terms[plugin.__name__] != 0
            projector = strategy.past_model.network[1]
            self.past.append(next(projector.parameters()).clone())

    watch = Watch()
    plugins = [plugin(past="ema", ema_decay=DECAY), watch]
    strategy = make_strategy(METHODS[method](), lr=0.002, plugins=plugins)
    online = split_online_stream(
        benchmark_of_digits.train_stream[:3], 24, access_task_boundaries=False, seed=0
    )
    for part in online:
        strategy.train(part)
    assert strategy.clock.train_exp_counter == len(watch.past) == 6
    pairs = zip(watch.past, watch.past[1:], strict=False)
    assert not any(torch.equal(one, other) for one, other in pairs)


def test_one_long_experience_is_regularised_from_the_first_step(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    plain, averaged, snapshot = Losses(), Losses(), Losses()
    first = benchmark_of_digits.train_stream[:1]
    for plugins in (
        [plain],
        [PNRPlugin(past="ema", ema_decay=DECAY), averaged],
        [PNRPlugin(), snapshot],
    ):
        torch.manual_seed(0)
        make_strategy(tiny_simclr(), plugins=plugins, train_epochs=3).train(first)
    assert snapshot.values == plain.values
    assert all(a > b for a, b in zip(averaged.values[0], plain.values[0], strict=True))


def test_the_loss_without_the_strategy_moves_it_after_steps_alone() -> None:
    method = tiny_simclr()
    agent = type("Agent", (), {"model": method})
    loss = ContinualLoss(PNRPlugin(past="ema", ema_decay=DECAY))
    loss.pre_adapt(agent)
    optimizer = torch.optim.SGD(method.parameters(), 0.05)
    taken = [tensors(method)]
    for step in range(4):
        with torch.no_grad():
            loss(VIEWS)
        optimizer.zero_grad()
        loss(VIEWS).backward()
        optimizer.step()
        loss.after_step(step, 4)
        taken.append(tensors(method))
    assert_average(loss.past_model, taken)


def test_outputs_of_a_batch_are_computed_anew_when_it_has_moved() -> None:
    method, past_model = tiny_simclr(), PastModel()
    past_model.snapshot(method)
    past_model.decay = DECAY
    before = past_model(VIEWS)
    with torch.no_grad():
        method.projector.layers[0].weight.add_(1)
    past_model.average(method)
    assert not torch.equal(past_model(VIEWS), before)


def test_there_is_nothing_to_average_before_a_snapshot() -> None:
    method, past_model = tiny_simclr(), PastModel()
    past_model.decay = DECAY
    with pytest.raises(RuntimeError, match=r"call snapshot\(\), and set decay"):
        past_model.average(method)
    past_model.snapshot(method)
    past_model.decay = None
    with pytest.raises(RuntimeError, match=r"call snapshot\(\), and set decay"):
        past_model.average(method)


def test_a_decay_of_0_is_the_model_itself(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[CaSSLePlugin(past="ema", ema_decay=0)])
    train(strategy, benchmark_of_digits, 3)
    present = tensors(strategy.model)
    for name, value in strategy.past_model.state_dict().items():
        torch.testing.assert_close(value, present[name])


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"past": "ema", "ema_decay": 1.0}, r"ema_decay must be in \[0, 1\), got 1"),
        ({"past": "ema", "ema_decay": -0.1}, r"\[0, 1\), got -0.1"),
        ({"past": "ema", "ema_decay": float("nan")}, r"\[0, 1\), got nan"),
        ({"past": "mean"}, "past must be one of 'experience', 'ema', got 'mean'"),
        ({"ema_decay": 0.9}, "ema_decay=0.9 is the decay of past='ema'"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    plugin: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plugin(**options)


def test_plugins_that_share_the_past_model_take_it_from_one_source(
    make_strategy: Any,
) -> None:
    averaged = PNRPlugin(past="ema", ema_decay=0.9)
    message = (
        r"PNRPlugin \(past='ema', ema_decay=0.9\) and CaSSLePlugin "
        r"\(past='experience'\) share one past model"
    )
    with pytest.raises(ValueError, match=message):
        make_strategy(plugins=[averaged, CaSSLePlugin()])


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed_forward, "world_size", lambda: 2)
    distributed_forward.check_supports_distributed([PNRPlugin()])
    with pytest.raises(ValueError, match="PNRPlugin cannot be used on 2"):
        distributed_forward.check_supports_distributed([PNRPlugin(past="ema")])
