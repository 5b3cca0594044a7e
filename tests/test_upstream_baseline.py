"""The experiment for continual-learning-baselines, within that repository's helpers."""

import importlib.util
import sys
import unittest
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.classic import save_cifar100

FOLDER = (
    Path(__file__).parents[1] / "docs" / "upstream" / "continual-learning-baselines"
)
TOY = {
    "cuda": -1,
    "n_experiences": 3,
    "num_epochs": 1,
    "train_mb_size": 16,
    "warmup_epochs": 0,
    "hidden_dim": 32,
    "projection_dim": 16,
    "predictor_hidden_dim": 16,
    "num_workers": 0,
}


def stub(patch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    """Let ``import name`` find a module that stands for one of that repository."""
    patch.setitem(sys.modules, name, SimpleNamespace(**content))


def load(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("of_baselines", FOLDER / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def default_args(values: dict[str, Any], override: Any = None) -> SimpleNamespace:
    return SimpleNamespace(**{**values, **(override or {})})


def average(metrics: dict[str, float], name: str = "Top1_Acc_Stream") -> float:
    values = [value for key, value in metrics.items() if key.startswith(name)]
    return sum(values) / len(values)


@pytest.mark.slow
def test_the_experiment_returns_the_metrics_that_its_test_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_cifar100(tmp_path, monkeypatch)
    seeds: list[Any] = []
    stub(
        monkeypatch,
        "experiments.utils",
        create_default_args=default_args,
        set_seed=seeds.append,
    )
    experiment = load("experiments/split_cifar100/pnr.py")
    metrics = experiment.pnr_scifar100({**TOY, "dataset_root": tmp_path, "seed": 4})
    assert seeds == [4]
    assert 0 <= average(metrics) <= 1
    stream = [name for name in metrics if name.startswith("Top1_Acc_Exp/")]
    assert len(stream) == 3


@pytest.mark.parametrize(
    ("accuracy", "passes"), [(0.7, True), (0.61, True), (0.4, False)]
)
def test_its_test_compares_with_the_target(
    accuracy: float, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = {"Top1_Acc_Stream/eval_phase/test_stream/Task000": accuracy, "Loss": 9.0}
    stub(monkeypatch, "experiments.split_cifar100", pnr_scifar100=lambda: metrics)
    stub(
        monkeypatch,
        "tests.utils",
        get_average_metric=average,
        get_target_result=lambda strategy, benchmark: {("pnr", "scifar100"): 0.63}[
            strategy, benchmark
        ],
    )
    module = load("tests/pnr/experiment.py")
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(module.PNR).run(result)
    assert result.testsRun == 1
    assert not result.errors
    assert result.wasSuccessful() is passes
