"""Loggers, evaluation within training and early stopping beside PNR and CaSSLe."""

import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metrics import accuracy_metrics, loss_metrics
from avalanche.logging import (
    CSVLogger,
    InteractiveLogger,
    TensorboardLogger,
    TextLogger,
)
from avalanche.training.plugins import EarlyStoppingPlugin, EvaluationPlugin
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from avalanche_pnr import NearestMeanProbe, ProbePlugin, SelfSupervised, WandBLogger
from avalanche_pnr.evaluation import JSONLinesLogger, read_records
from tests.evaluation.test_wandb_logger import OFFLINE
from tests.evaluation.wandb_file import read_history
from tests.training.compatibility.conftest import Make, pnr, run, with_either
from tests.training.compatibility.plugin_effects import EFFECTS

LOSS = "Loss_Epoch/train_phase/train_stream/Task000"


def judged(*loggers: Any) -> EvaluationPlugin:
    accuracy = accuracy_metrics(stream=True)
    return EvaluationPlugin(accuracy, loss_metrics(epoch=True), loggers=[*loggers])


def probe(stream: CLScenario) -> Make:
    return lambda _: ProbePlugin(stream.train_stream, [NearestMeanProbe()])


@with_either
def test_every_logger_at_once(
    regularizer: Make,
    stream: CLScenario,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = StringIO()
    csv_logger = CSVLogger(tmp_path / "csv")
    tensorboard = TensorboardLogger(tmp_path / "tensorboard")
    wandb_logger = WandBLogger(dir=tmp_path, params=OFFLINE)
    evaluator = judged(
        TextLogger(text),
        InteractiveLogger(),
        csv_logger,
        tensorboard,
        wandb_logger,
        JSONLinesLogger(tmp_path / "results.jsonl"),
    )
    plugins = [regularizer, EFFECTS["replay"].make, probe(stream)]
    logged = run(stream, plugins, evaluator=evaluator, eval_every=0)
    silent = run(stream, plugins)
    assert torch.equal(logged.weights, silent.weights)
    csv_logger.close()
    tensorboard.writer.close()
    wandb_logger.close()
    wandb.teardown()
    for console in text.getvalue(), capsys.readouterr().out:
        assert console.count("Loss_Epoch/train_phase/train_stream") == 5
    with (tmp_path / "csv" / "training_results.csv").open() as file:
        assert len({row["training_exp"] for row in csv.DictReader(file)}) == 5
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    losses = [tag for tag in events.Tags()["scalars"] if tag.startswith("Loss_Epoch")]
    assert sum(len(events.Scalars(tag)) for tag in losses) == 5
    assert read_records(tmp_path / "results.jsonl")
    assert read_history(tmp_path)


@pytest.mark.parametrize(
    ("other", "mode", "times"),
    [("mir", "epoch", 5 * 3), ("ewc", "iteration", 5 * 7)],
)
def test_evaluation_within_training_changes_nothing(
    other: str, mode: str, times: int, stream: CLScenario
) -> None:
    class Count(SupervisedPlugin):
        evaluations = 0

        def before_eval(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            self.evaluations += 1

    count = Count()
    plugins = [pnr, EFFECTS[other].make, probe(stream), lambda _: count]
    options = {"train_epochs": 2, "evaluator": judged()}
    plain = run(stream, plugins, **options)
    assert count.evaluations == 0
    evaluated = run(stream, plugins, eval_every=1, peval_mode=mode, **options)
    assert count.evaluations >= times
    assert torch.equal(plain.weights, evaluated.weights)


@with_either
def test_early_stopping_stops_each_experience(
    regularizer: Make, stream: CLScenario
) -> None:
    def stop(_: Any) -> EarlyStoppingPlugin:
        return EarlyStoppingPlugin(1, "test_stream", margin=1.0)  # never good enough

    plugins, options = [regularizer, probe(stream), stop], {"train_epochs": 4}
    stopped = run(stream, plugins, evaluator=judged(), eval_every=1, **options)
    assert [len(stopped.of(k)) for k in range(5)] == [3] * 5
    for batch in stopped.batches:
        assert batch.terms == pytest.approx(batch.expected, rel=1e-6)


def test_a_stop_in_an_experiences_last_epoch_skips_no_other(
    benchmark_of_digits: CLScenario, make_strategy: Callable[..., SelfSupervised]
) -> None:
    trained: list[int] = []

    class Stop(SupervisedPlugin):
        def after_training_epoch(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            trained.append(strategy.experience.current_experience)
            strategy.stop_training()

    strategy = make_strategy(plugins=[pnr(), Stop()])
    strategy.train(benchmark_of_digits.train_stream)
    assert trained == list(range(5))
