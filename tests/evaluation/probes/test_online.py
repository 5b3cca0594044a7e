import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr import OnlineProbe, ProbePlugin, SelfSupervised, ssl_metrics
from avalanche_pnr.evaluation import ProbeData, extract_stream
from tests.evaluation.probes.conftest import SGDByHand

MakeStrategy = Callable[..., SelfSupervised]
STEPS = 2
"""Of an experience: 16 images in batches of 8."""


class ByHand(SupervisedPlugin):
    """One step on all labelled images after each step of the network."""

    def __init__(self, benchmark: CLScenario) -> None:
        super().__init__()
        self.benchmark = benchmark
        self.sgd = SGDByHand(dim=8, classes=6, momentum=0.9)

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        parts = extract_stream(strategy.model, self.benchmark.train_stream)
        x, labels = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
        self.sgd.step(x.astype(np.float64), labels, lr=0.1)


def test_it_is_one_step_of_sgd_for_each_of_the_network(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    probe, by_hand = OnlineProbe(batch_size=1000), ByHand(benchmark)
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, [probe]), by_hand])
    x = torch.randn(5, 8)
    for trained, experience in enumerate(benchmark.train_stream, start=1):
        strategy.train(experience)
        assert probe.steps == trained * STEPS
        strategy.eval(benchmark.test_stream)
        scores, expected = strategy.readout(x), by_hand.sgd.scores(x.numpy())
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-5)


def test_images_of_all_experiences_are_seen_in_the_first(
    benchmark: CLScenario,
    make_strategy: MakeStrategy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[list[int]] = []
    draw = ProbeData.draw

    def remember(data: ProbeData, indices: list[int]) -> tuple[Tensor, Tensor]:
        drawn.append(list(indices))
        return draw(data, indices)

    monkeypatch.setattr(ProbeData, "draw", remember)
    probe = OnlineProbe(batch_size=20)
    strategy = make_strategy(
        [ProbePlugin(benchmark.train_stream, [probe])], train_epochs=10
    )
    strategy.train(benchmark.train_stream[0])
    assert [len(set(each)) for each in drawn] == 10 * STEPS * [20]
    assert {index for each in drawn for index in each} == set(range(48))
    strategy.eval(benchmark.train_stream)
    assert strategy.readout(torch.randn(3, 8)).shape == (3, 6)


def _train(strategy: SelfSupervised, benchmark: CLScenario) -> dict[str, Tensor]:
    torch.manual_seed(5)
    for experience in benchmark.train_stream:
        strategy.train(experience)
    return strategy.model.state_dict()


def test_the_network_trains_bit_by_bit_as_without_it(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    expected = _train(make_strategy([]), benchmark)
    plugin = ProbePlugin(benchmark.train_stream, [OnlineProbe(lr=10.0)])
    actual = _train(make_strategy([plugin]), benchmark)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name


def test_gradients_do_not_reach_the_network(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    backbone[1].eval()
    modes = [module.training for module in backbone.modules()]
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    probe, generator = OnlineProbe(), torch.get_rng_state()
    for _ in range(3):
        probe.step(ProbeData(backbone, benchmark.train_stream))
    assert all(parameter.grad is None for parameter in backbone.parameters())
    assert [module.training for module in backbone.modules()] == modes
    assert torch.equal(torch.get_rng_state(), generator)
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_the_seed_decides_which_images_are_drawn(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    data, x = ProbeData(backbone, benchmark.train_stream), torch.randn(5, 8)

    def scores(seed: int) -> Tensor:
        probe = OnlineProbe(batch_size=8, seed=seed)
        for _ in range(3):
            probe.step(data)
        return probe.fit_to(data)(x)

    assert torch.equal(scores(0), scores(0))
    assert not torch.equal(scores(0), scores(1))


def test_copies_go_on_from_the_same_classifier_each_for_itself(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    first, x = OnlineProbe(), torch.randn(5, 8)
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, [first])])
    strategy.train(benchmark.train_stream[0])
    data = ProbeData(strategy.model, benchmark.train_stream)
    after_first = first.fit_to(data)(x)

    ends = []
    for _ in range(2):
        model, probe = copy.deepcopy((strategy.model, first))
        torch.testing.assert_close(probe.fit_to(data)(x), after_first)
        plugin = ProbePlugin(benchmark.train_stream, [probe])
        other = make_strategy([plugin], ssl_metrics(plugin))
        other.model.load_state_dict(model.state_dict())
        for experience in benchmark.train_stream[1:]:
            torch.manual_seed(5)
            other.train(experience)
            metrics = other.eval(benchmark.test_stream)
        assert probe.steps == 3 * STEPS
        assert len([name for name in metrics if "Online_Acc_Exp" in name]) == 3
        ends.append(other.readout(x))
    assert torch.equal(first.fit_to(data)(x), after_first)
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], after_first)


def test_it_is_read_anew_after_training_even_if_the_network_stands_still(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, [OnlineProbe()])])
    strategy.model.backbone[1] = nn.Identity()
    for group in strategy.optimizer.param_groups:
        group["lr"] = 0.0
    x, seen = torch.randn(5, 8), []
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
        seen.append(strategy.readout(x))
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_it_cannot_judge_before_a_training_step(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    assert not OnlineProbe.judges_untrained
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, [OnlineProbe()])])
    with pytest.raises(ValueError, match="no training step: evaluate after training"):
        strategy.eval(benchmark.test_stream)


def test_a_probe_that_diverges_is_no_result(benchmark: CLScenario) -> None:
    data, probe = ProbeData(nn.Flatten(), benchmark.train_stream), OnlineProbe(lr=3e38)
    for _ in range(20):
        probe.step(data)
    with pytest.raises(FloatingPointError, match="diverged on these features: lower"):
        probe.fit_to(data)


def test_online_probe_says_that_it_sees_future_classes() -> None:
    assert str(OnlineProbe()) == (
        "online (trained beside the network, sees future classes, learning rate 0.1)"
    )


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"batch_size": 0}])
def test_online_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="OnlineProbe needs lr > 0 and batch_size"):
        OnlineProbe(**options)
