import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from avalanche.evaluation import PluginMetric
from avalanche.evaluation.metric_results import MetricValue
from avalanche.evaluation.metrics import loss_metrics

from avalanche_pnr import (
    KNNProbe,
    ProbePlugin,
    RepresentationPlugin,
    SelfSupervised,
    ssl_metrics,
)
from avalanche_pnr.evaluation import (
    JSONLinesLogger,
    accuracy_matrix,
    read_records,
)
from tests.evaluation.conftest import quick_probes, standalone

MakeStrategy = Callable[..., SelfSupervised]
Logged = Callable[..., tuple[SelfSupervised, Path]]


@pytest.fixture
def logged(
    benchmark: CLScenario, make_strategy: MakeStrategy, tmp_path: Path
) -> Logged:
    """Makes a strategy that writes its probes' metrics to a file."""

    def make(probes: Any = None, **kwargs: Any) -> tuple[SelfSupervised, Path]:
        path = tmp_path / f"results{len(list(tmp_path.iterdir()))}.jsonl"
        plugin = ProbePlugin(benchmark.train_stream, probes or quick_probes())
        strategy = make_strategy(
            [plugin],
            loss_metrics(epoch=True),
            ssl_metrics(plugin),
            loggers=[JSONLinesLogger(path, run="pnr", seed=3)],
            **kwargs,
        )
        return strategy, path

    return make


def test_the_file_gives_the_full_accuracy_matrix(
    benchmark: CLScenario, logged: Logged
) -> None:
    strategy, path = logged()
    expected: dict[str, list[list[float]]] = {"linear": [], "knn": []}
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
        accuracies = standalone(strategy, benchmark, benchmark.test_stream)
        for probe, values in accuracies.items():
            expected[probe].append(values)
    records = read_records(path)
    for metric, probe in (("Linear_Acc_Exp", "linear"), ("Knn_Acc_Exp", "knn")):
        matrix = accuracy_matrix(records, metric)
        assert matrix.shape == (3, 3)
        np.testing.assert_allclose(matrix, expected[probe])


def test_lines_say_where_their_value_belongs(
    benchmark: CLScenario, logged: Logged
) -> None:
    strategy, path = logged(train_epochs=2)
    strategy.eval(benchmark.test_stream)
    strategy.train(benchmark.train_stream[0])
    strategy.eval(benchmark.test_stream)
    records = read_records(path)
    assert all((line["run"], line["seed"]) == ("pnr", 3) for line in records)
    assert all(np.isfinite(line["value"]) for line in records)
    losses = [line for line in records if line["metric"] == "Loss_Epoch"]
    assert [(line["after"], line["epoch"]) for line in losses] == [(0, 0), (0, 1)]
    accuracies = [line for line in records if line["metric"] == "Linear_Acc_Exp"]
    assert [
        (line["after"], line["stream"], line["experience"]) for line in accuracies
    ] == [(after, "test", experience) for after in (0, 1) for experience in range(3)]


def test_lines_of_a_stream_say_which(benchmark: CLScenario, logged: Logged) -> None:
    strategy, path = logged()
    strategy.eval(benchmark.test_stream)
    strategy.eval(benchmark.train_stream)
    lines = [
        line for line in read_records(path) if line["metric"] == "Linear_Acc_Stream"
    ]
    assert [line.get("stream") for line in lines] == ["test", "train"]


def test_a_file_is_appended_to(benchmark: CLScenario, logged: Logged) -> None:
    strategy, path = logged()
    path.write_text('{"run": "environment"}\n')
    strategy.eval(benchmark.test_stream)
    first, *others = read_records(path)
    assert first == {"run": "environment"}
    readings = ("Acc", "Top5_Acc", "TaskAware_Acc")
    names = {f"{probe}_{name}" for probe in ("Linear", "Knn") for name in readings}
    assert {line["metric"] for line in others} == {
        *(f"{name}_Exp" for name in names),
        *(f"{name}_Stream" for name in names),
        "Linear_Lr_Stream",
    }
    assert len(others) == len(names) * (3 + 1) + 1


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"eval_every": 1}, id="every epoch"),
        pytest.param({"eval_every": 2}, id="every second epoch"),
        pytest.param({"eval_every": 1, "peval_mode": "iteration"}, id="every step"),
    ],
)
@pytest.mark.parametrize("on_test_data", [True, False])
def test_evaluation_during_training_does_not_change_the_matrix(
    benchmark: CLScenario, logged: Logged, options: dict[str, Any], on_test_data: bool
) -> None:
    def matrix(**kwargs: Any) -> Any:
        strategy, path = logged([KNNProbe(k=5)], train_epochs=2, **kwargs)
        streams = [benchmark.test_stream] if on_test_data else None
        torch.manual_seed(5)
        for experience in benchmark.train_stream:
            strategy.train(experience, eval_streams=streams)
            strategy.eval(benchmark.test_stream)
        return accuracy_matrix(read_records(path), "Knn_Acc_Exp")

    np.testing.assert_array_equal(matrix(**options), matrix())


def test_the_last_evaluation_of_training_counts_its_experience(
    benchmark: CLScenario, logged: Logged
) -> None:
    strategy, path = logged([KNNProbe(k=5)], eval_every=0)
    expected = []
    for experience in benchmark.train_stream:
        strategy.train(experience, eval_streams=[benchmark.test_stream])
        accuracies = standalone(strategy, benchmark, benchmark.test_stream)
        expected.append(accuracies["knn"])
    matrix = accuracy_matrix(read_records(path), "Knn_Acc_Exp")
    np.testing.assert_allclose(matrix, expected)


def test_values_of_watched_experiences_name_them(
    benchmark: CLScenario, make_strategy: MakeStrategy, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    probes = ProbePlugin(benchmark.train_stream, quick_probes())
    watched = RepresentationPlugin(benchmark.train_stream)
    strategy = make_strategy(
        [probes, watched],
        ssl_metrics(probes, watched),
        loggers=[JSONLinesLogger(path)],
    )
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
    lines = [line for line in read_records(path) if line["metric"] == "CKA_Exp"]
    where = [(line["after"], line["experience"]) for line in lines]
    assert where == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
    assert [line["value"] for line in lines][-1] == pytest.approx(1.0)


class _Various(PluginMetric[Any]):
    """Publishes values of several kinds."""

    def result(self) -> None:
        """Nothing is accumulated."""

    def reset(self) -> None:
        """Nothing is accumulated."""

    def after_eval(self, strategy: Any) -> list[MetricValue]:
        values = {
            "Single": np.float32(0.5),
            "Count": 3,
            "Undefined": math.nan,
            "Picture": torch.zeros(3, 3),
        }
        return [MetricValue(self, name, value, 0) for name, value in values.items()]


def test_numbers_of_any_kind_are_written_and_nothing_else(
    benchmark: CLScenario, make_strategy: MakeStrategy, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    probes = ProbePlugin(benchmark.train_stream, quick_probes())
    strategy = make_strategy([probes], _Various(), loggers=[JSONLinesLogger(path)])
    strategy.eval(benchmark.test_stream)
    values = {line["metric"]: line["value"] for line in read_records(path)}
    undefined = values.pop("Undefined")
    assert math.isnan(undefined)
    assert values == {"Single": 0.5, "Count": 3.0}


@pytest.mark.parametrize("size", [8, 16])
def test_on_online_streams_rows_of_the_matrix_are_whole_experiences(
    benchmark: CLScenario, logged: Logged, size: int
) -> None:
    strategy, path = logged()
    parts = split_online_stream(
        benchmark.train_stream, experience_size=size, access_task_boundaries=True
    )
    last_rows = []
    for part in parts:
        strategy.train(part)
        ended = strategy.sub_experience == 0
        strategy.eval(benchmark.test_stream)
        if ended:
            expected = standalone(strategy, benchmark, benchmark.test_stream)
            last_rows.append(expected["linear"])
    matrix = accuracy_matrix(read_records(path), "Linear_Acc_Exp")
    np.testing.assert_allclose(matrix, last_rows)
    assert matrix.shape == (3, 3)
