"""Real runs of MLflow, in a data base of one file."""

import math
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avalanche_pnr import MLflowLogger

MakeLogger = Callable[..., MLflowLogger]


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def read_runs(folder: Path) -> dict[str, Any]:
    """Every run in the file of a folder, by name: status, parameters, series."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store(folder))
    experiments = [each.experiment_id for each in client.search_experiments()]
    found = {}
    for run in client.search_runs(experiments):
        series = {
            name: [
                (each.step, each.value)
                for each in client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
        }
        found[run.info.run_name] = {
            "experiment": client.get_experiment(run.info.experiment_id).name,
            "status": run.info.status,
            "params": run.data.params,
            "series": series,
        }
    return found


@pytest.fixture
def make_logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeLogger:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "to be restored")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    monkeypatch.chdir(tmp_path)

    def make(name: str, **options: Any) -> MLflowLogger:
        return MLflowLogger("tests", name, tracking_uri=store(tmp_path), **options)

    return make


def test_values_are_written_at_their_iteration_each_run_on_its_own(
    make_logger: MakeLogger, tmp_path: Path
) -> None:
    name = "Acc_Exp/eval_phase/test_stream/Task000/Exp000"
    loggers = {
        run: make_logger(run, params={"seed": 3})
        for run in ("finetune", "cassle", "pnr")
    }
    for place, logger in enumerate(loggers.values()):
        logger.log_single_metric(name, 0.25 * place, 0)
        logger.log_single_metric(name, 0.5, 7)
        logger.log_single_metric("Undefined", math.nan, 9)
        logger.log_single_metric("WeightCheckpoint", b"1234", 9)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    loggers["pnr"].close()
    runs = read_runs(tmp_path)
    assert sorted(runs) == ["cassle", "finetune", "pnr"]
    for place, run in enumerate(loggers):
        assert runs[run]["experiment"] == "tests"
        assert runs[run]["params"] == {"seed": "3"}
        assert runs[run]["series"][name] == [(0, 0.25 * place), (7, 0.5)]
        ((step, value),) = runs[run]["series"]["Undefined"]
        assert step == 9
        assert math.isnan(value)
        assert set(runs[run]["series"]) == {name, "Undefined"}
        assert runs[run]["status"] == ("FINISHED" if run == "pnr" else "RUNNING")


def test_a_logger_from_a_checkpoint_goes_on_with_its_run(
    make_logger: MakeLogger, tmp_path: Path
) -> None:
    logger = make_logger("run")
    logger.log_single_metric("Acc", 0.25, 1)
    checkpoint = pickle.dumps(logger)
    logger.close()
    restored = pickle.loads(checkpoint)
    assert read_runs(tmp_path)["run"]["status"] == "RUNNING"
    restored.log_single_metric("Acc", 0.5, 3)
    restored.close()
    run = read_runs(tmp_path)["run"]
    assert run["series"] == {"Acc": [(1, 0.25), (3, 0.5)]}
    assert run["status"] == "FINISHED"


def test_the_command_that_installs_mlflow_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    command = r"pip install 'avalanche-pnr\[mlflow\]'"
    with pytest.raises(ModuleNotFoundError, match=command):
        MLflowLogger()
