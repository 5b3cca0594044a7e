"""The loss in loops of one's own: they end as the strategy does, to the last bit."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from avalanche_pnr import (
    CaSSLePlugin,
    ContinualLoss,
    LessForgetPlugin,
    PFRPlugin,
    PNRPlugin,
    SelfSupervised,
    SelfSupervisedMethod,
)
from avalanche_pnr.plugins import PastModelPlugin
from tests.conftest import METHODS, Strategy
from tests.examples.scripts import accuracies, load, run

LR, EPOCHS = 0.001, 2
Views = list[list[Tensor]]
Train = Callable[[Any, DataLoader[Any]], None]
Loop = Callable[[SelfSupervisedMethod, PastModelPlugin], tuple[ContinualLoss, Train]]


class Recorder(SupervisedPlugin):
    """Copies the views of all batches, by experience and epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.experiences: list[Views] = []

    def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.experiences.append([])

    def before_training_epoch(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.experiences[-1].append([])

    def before_training_iteration(
        self, strategy: SelfSupervised, **kwargs: Any
    ) -> None:
        self.experiences[-1][-1].append(strategy.mb_x.clone())


class Recorded(IterableDataset[list[Tensor]]):
    """The batches of one epoch, and when it is read again those of the next."""

    def __init__(self, epochs: Views) -> None:
        self.length = len(epochs[0])
        self.epochs = iter(epochs)

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[list[Tensor]]:
        return ([views] for views in next(self.epochs))


def plain_loop(
    model: SelfSupervisedMethod, plugin: PastModelPlugin
) -> tuple[ContinualLoss, Train]:
    agent = SimpleNamespace(model=model, continual_loss=ContinualLoss(plugin))
    train = load("plain_loop").train
    return agent.continual_loss, lambda _, each: train(agent, each, EPOCHS, LR)


def agent(
    model: SelfSupervisedMethod, plugin: PastModelPlugin
) -> tuple[ContinualLoss, Train]:
    example = load("agent")
    agent = example.make_agent(model, plugin, LR)
    return agent.continual_loss, lambda exp, each: example.train(
        agent, exp, each, EPOCHS
    )


def lightning_module(
    model: SelfSupervisedMethod, plugin: PastModelPlugin
) -> tuple[ContinualLoss, Train]:
    example = load("lightning_module")
    module = example.ContinualModule(model, plugin, LR)
    return module.continual_loss, lambda _, each: example.train(module, each, EPOCHS)


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    assert [name for name, value in a.items() if not torch.equal(value, b[name])] == []


PLUGINS = (PNRPlugin, CaSSLePlugin, PFRPlugin, LessForgetPlugin)
averaged = partial(PNRPlugin, past="ema", ema_decay=0.9)
CASES = [
    *((plain_loop, method, plugin) for method in METHODS for plugin in PLUGINS),
    *((plain_loop, method, averaged) for method in METHODS),
    *((agent, method, PNRPlugin) for method in ("moco", "barlow")),
    *((lightning_module, method, PNRPlugin) for method in ("moco", "barlow")),
]


@pytest.mark.parametrize(("loop", "method", "plugin"), CASES)
def test_three_experiences_end_as_with_the_strategy(
    loop: Loop,
    method: str,
    plugin: Callable[[], PastModelPlugin],
    benchmark_of_digits: CLScenario,
    make_strategy: Strategy,
) -> None:
    start = METHODS[method]()
    recorder, stream = Recorder(), benchmark_of_digits.train_stream[:3]
    strategy = make_strategy(
        copy.deepcopy(start),
        lr=LR,
        plugins=[plugin(), recorder],
        train_epochs=EPOCHS,
    )
    continual_loss, train = loop(start, plugin())
    for experience in stream:
        seed = experience.current_experience
        torch.manual_seed(seed)
        strategy.train(experience)
        torch.manual_seed(seed)
        batches = Recorded(recorder.experiences[seed])
        train(experience, DataLoader(batches, batch_size=None))
    assert_same(start.state_dict(), strategy.model.state_dict())
    past = continual_loss.past_model.state_dict()
    assert_same(past, strategy.past_model.state_dict())
    assert past
    name = type(continual_loss.plugin).__name__
    assert continual_loss.loss_terms.keys() == {"loss", name}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain_loop", "agent", "lightning_module"])
def test_examples_run_as_scripts(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run(name, "--epochs", "1")
    figures = accuracies(capsys.readouterr().out)
    assert len(figures) == 5
    assert all(10 < each <= 100 for each in figures)
    assert list(tmp_path.iterdir()) == []
