"""Avalanche's own plugins beside PNR."""

import copy
from typing import Any, ClassVar

import pytest
import torch
from avalanche.benchmarks import CLScenario, with_task_labels
from avalanche.benchmarks.scenarios.task_aware import task_incremental_benchmark
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    MIRPlugin,
    ReplayPlugin,
)
from torch import Tensor

from avalanche_pnr import PNRPlugin, SelfSupervised
from tests.conftest import METHODS, WEIGHTED, tiny_moco

COMPANIONS = {
    "replay": lambda: ReplayPlugin(mem_size=30),
    "ewc": lambda: EWCPlugin(ewc_lambda=1.0),
    "agem": lambda: AGEMPlugin(patterns_per_experience=10, sample_size=8),
    "mir": lambda: MIRPlugin(batch_size_mem=8, mem_size=40, subsample=16),
}


def train(
    plugins: list[Any], benchmark: CLScenario, make_strategy: Any, name: str = "moco"
) -> dict[str, Tensor]:
    torch.manual_seed(0)
    strategy = make_strategy(METHODS[name](), plugins=plugins, lr=0.005)
    for experience in benchmark.train_stream[:4]:
        torch.manual_seed(experience.current_experience)
        strategy.train(experience)
    state: dict[str, Tensor] = strategy.model.state_dict()
    return state


# MIR reads (x, y, t) samples, which only streams with task labels have.
@pytest.mark.parametrize(
    ("companion", "task_labels"),
    [(name, labels) for name in COMPANIONS for labels in sorted({name == "mir", True})],
)
def test_avalanche_plugins_compose_and_have_their_effect(
    companion: str,
    task_labels: bool,
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    benchmark = benchmark_of_digits
    if task_labels:
        benchmark = with_task_labels(task_incremental_benchmark(benchmark))
    alone = train([PNRPlugin()], benchmark, make_strategy)
    plugins = [PNRPlugin(), COMPANIONS[companion]()]
    together = train(plugins, benchmark, make_strategy)
    weight = together["backbone.0.weight"]
    assert torch.isfinite(weight).all()
    assert not torch.equal(weight, alone["backbone.0.weight"])


@pytest.mark.parametrize("companion", ["replay", "ewc", "agem"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_they_compose_with_the_other_methods(
    name: str, companion: str, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    plugins = [PNRPlugin(), COMPANIONS[companion]()]
    state = train(plugins, benchmark_of_digits, make_strategy, name)
    alone = train([PNRPlugin()], benchmark_of_digits, make_strategy, name)
    assert all(value.isfinite().all() for value in state.values())
    weight = "backbone.0.weight"
    assert not torch.equal(state[weight], alone[weight])


@pytest.mark.parametrize("name", ["barlow", "vicreg"])
def test_mir_is_refused_where_images_have_no_loss_of_their_own(
    name: str, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    benchmark = with_task_labels(task_incremental_benchmark(benchmark_of_digits))
    with pytest.raises(
        ValueError, match="which MIR asks for, needs a method whose loss"
    ):
        train([COMPANIONS["mir"]()], benchmark, make_strategy, name)


def test_replay_drops_incomplete_batches_too(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    class Sizes(SupervisedPlugin):
        seen: ClassVar[set[int]] = set()

        def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            self.seen.add(len(strategy.mb_x))

    plugins = [ReplayPlugin(mem_size=30), PNRPlugin(), Sizes()]
    strategy = make_strategy(plugins=plugins, train_mb_size=20)
    for experience in benchmark_of_digits.train_stream[:4]:
        strategy.train(experience)
    assert Sizes.seen == {20, 40}


def test_a_queue_below_a_batch_with_replay_is_refused_before_the_step(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(
        tiny_moco(queue_length=24), plugins=[ReplayPlugin(mem_size=30)]
    )
    strategy.train(benchmark_of_digits.train_stream[0])
    before = copy.deepcopy(strategy.model.state_dict())
    with pytest.raises(ValueError, match="length 24 is shorter than a batch of 32"):
        strategy.train(benchmark_of_digits.train_stream[1])
    assert all(
        torch.equal(v, before[k]) for k, v in strategy.model.state_dict().items()
    )
