"""One run over three experiences, through every logger at once."""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
import wandb
from avalanche.benchmarks import CLScenario
from avalanche.evaluation.metrics import accuracy_metrics, loss_metrics
from avalanche.logging import (
    CSVLogger,
    InteractiveLogger,
    TensorboardLogger,
    TextLogger,
)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from avalanche_pnr import (
    DownstreamPlugin,
    ProbePlugin,
    RepresentationPlugin,
    SelfSupervised,
    WandBLogger,
    ssl_metrics,
)
from avalanche_pnr.evaluation import (
    JSONLinesLogger,
    accuracy_matrix,
    read_records,
)
from tests.evaluation.conftest import by_experience, quick_probes
from tests.evaluation.test_wandb_logger import OFFLINE
from tests.evaluation.wandb_file import read_history

MakeStrategy = Callable[..., SelfSupervised]
Values = dict[str, float]
STEPS = 2
"""Of an experience."""


@dataclass
class Run:
    """What the loggers have written, and what they were given."""

    folder: Path
    text: str
    printed: str
    evaluations: list[Values]
    """What was published after each experience."""

    @property
    def series(self) -> dict[str, list[tuple[int, float]]]:
        """Iteration and value of everything that evaluation published."""
        found: dict[str, list[tuple[int, float]]] = {}
        for number, values in enumerate(self.evaluations, start=1):
            for name, value in values.items():
                found.setdefault(name, []).append((number * STEPS, value))
        return found


@pytest.fixture(scope="module")
def run(
    benchmark: CLScenario,
    make_strategy: MakeStrategy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Run]:
    """Three experiences with all that can be judged, through every logger."""
    folder, text, printed = tmp_path_factory.mktemp("run"), StringIO(), StringIO()
    streams = benchmark.train_stream, benchmark.test_stream
    plugins = [
        ProbePlugin(benchmark.train_stream, quick_probes()),
        DownstreamPlugin("again", *streams, quick_probes()),
        RepresentationPlugin(benchmark.train_stream),
    ]
    with redirect_stdout(printed):
        csv_logger = CSVLogger(folder / "csv")
        wandb_logger = WandBLogger(dir=folder, params=OFFLINE)
        tensorboard = TensorboardLogger(folder / "tensorboard")
        loggers = [
            TextLogger(text),
            InteractiveLogger(),
            csv_logger,
            tensorboard,
            wandb_logger,
            JSONLinesLogger(folder / "results.jsonl"),
        ]
        strategy = make_strategy(
            plugins,
            ssl_metrics(*plugins),
            accuracy_metrics(experience=True, stream=True),
            loss_metrics(epoch=True, experience=True),
            loggers=loggers,
        )
        evaluations = []
        for experience in benchmark.train_stream:
            strategy.train(experience)
            metrics = strategy.eval(benchmark.test_stream)
            evaluations.append(
                {name: value for name, value in metrics.items() if "train" not in name}
            )
    csv_logger.close()
    tensorboard.writer.close()
    wandb_logger.close()
    yield Run(folder, text.getvalue(), printed.getvalue(), evaluations)
    wandb.teardown()


def test_there_is_something_of_every_plugin_to_log(run: Run) -> None:
    last = set(run.evaluations[-1])
    tail = "eval_phase/test_stream"
    assert {
        *(f"Linear_Top5_Acc_Exp/{tail}/Exp{exp:03d}" for exp in range(3)),
        f"Knn_TaskAware_Acc_Stream/{tail}",
        f"Linear_Lr_Stream/{tail}",
        f"Linear_Acc_Downstream_again/{tail}",
        f"CKA_Exp/{tail}/Exp002",
        f"EffectiveRank_Stream/{tail}",
    } <= last
    assert len(last) == 2 * 3 * 4 + 1 + 3 + 3 + 3 + 4 + 3


@pytest.mark.parametrize("console", ["text", "printed"])
def test_consoles_show_every_value(run: Run, console: str) -> None:
    shown = re.findall(r"^\t(\S+) = (\S+)$", getattr(run, console), re.MULTILINE)
    printed: dict[str, list[str]] = {}
    for name, value in shown:
        printed.setdefault(name, []).append(value)
    for name, series in run.series.items():
        assert printed[name] == [f"{value:.4f}" for _, value in series], name
    assert len(printed["Loss_Epoch/train_phase/train_stream"]) == 3


def test_csv_has_the_first_probes_accuracy_by_experience(run: Run) -> None:
    with (run.folder / "csv" / "eval_results.csv").open() as file:
        rows = list(csv.DictReader(file))
    where = [(int(row["training_exp"]), int(row["eval_exp"])) for row in rows]
    assert where == [(t, k) for t in range(3) for k in range(3)]
    for row, (after, experience) in zip(rows, where, strict=True):
        tail = f"eval_phase/test_stream/Exp{experience:03d}"
        values = run.evaluations[after]
        assert row["eval_accuracy"] == f"{values[f'Linear_Acc_Exp/{tail}']:.4f}"
        assert row["eval_loss"] == f"{values[f'Loss_Exp/{tail}']:.4f}"
    with (run.folder / "csv" / "training_results.csv").open() as file:
        losses = [float(row["training_loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 3
    assert all(loss > 0 for loss in losses)


def test_tensorboard_has_every_series(run: Run) -> None:
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == {
        *run.series,
        "Loss_Epoch/train_phase/train_stream",
    }
    for name, expected in run.series.items():
        series = [(event.step, event.value) for event in events.Scalars(name)]
        assert series == [(step, pytest.approx(value)) for step, value in expected]


def test_wandb_has_every_series(run: Run) -> None:
    history = read_history(run.folder)
    assert len(history["Loss_Epoch/train_phase/train_stream"]) == 3
    for name, expected in run.series.items():
        series = [(step, pytest.approx(value)) for step, value in expected]
        assert history[name] == series, name


def test_json_lines_have_every_value(run: Run) -> None:
    lines = read_records(run.folder / "results.jsonl")
    evaluated = [line for line in lines if "stream" in line]
    assert len(evaluated) == sum(len(values) for values in run.evaluations)
    matrix = accuracy_matrix(lines, "Linear_Acc_Exp")
    for after, values in enumerate(run.evaluations):
        accuracies = by_experience(values, "Linear_Acc", "test")
        assert matrix[after].tolist() == accuracies
