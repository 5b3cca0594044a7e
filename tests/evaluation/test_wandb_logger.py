"""Real runs of wandb, offline."""

import math
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from avalanche.evaluation.metric_results import AlternativeValues, TensorImage
from matplotlib.figure import Figure
from PIL import Image

from avalanche_pnr import WandBLogger
from tests.evaluation.wandb_file import read_history

OFFLINE = {"mode": "offline", "settings": {"console": "off", "silent": True}}
MakeLogger = Callable[..., WandBLogger]


@pytest.fixture(scope="module", autouse=True)
def no_process_left() -> Iterator[None]:
    import wandb

    yield
    wandb.teardown()


@pytest.fixture
def make_logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeLogger:
    for name in ("CACHE", "CONFIG", "DATA", "ARTIFACT"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "to be restored")
    monkeypatch.delenv("WANDB_ERROR_REPORTING")

    def make(name: str, **options: Any) -> WandBLogger:
        (tmp_path / name).mkdir(exist_ok=True)
        return WandBLogger(
            "tests", name, dir=tmp_path / name, params=OFFLINE, **options
        )

    return make


def test_values_are_written_at_their_iteration(
    make_logger: MakeLogger, tmp_path: Path
) -> None:
    logger = make_logger("run", config={"seed": 3})
    assert (logger.run.project, logger.run.name) == ("tests", "run")
    assert logger.run.config["seed"] == 3
    logger.log_single_metric("Acc/eval_phase/Exp000", 0.25, 0)
    logger.log_single_metric("Acc/eval_phase/Exp000", 0.5, 7)
    logger.log_single_metric("Count", 3, 7)
    logger.log_single_metric("Undefined", math.nan, 9)
    logger.close()
    history = read_history(tmp_path / "run")
    assert history["Acc/eval_phase/Exp000"] == [(0, 0.25), (7, 0.5)]
    assert history["Count"] == [(7, 3)]
    assert history["Undefined"] == [(9, "NaN")] or math.isnan(
        history["Undefined"][0][1]
    )


def test_pictures_and_tensors_are_written_as_such(
    make_logger: MakeLogger, tmp_path: Path
) -> None:
    picture = Image.new("RGB", (4, 4), (255, 0, 0))
    logger, values = (
        make_logger("run"),
        {
            "Tensor": torch.randn(30),
            "Picture": picture,
            "TensorPicture": TensorImage(torch.rand(3, 4, 4)),
            "Figure": Figure(),
            "Either": AlternativeValues("text", picture),
        },
    )
    for name, value in values.items():
        logger.log_single_metric(name, value, 1)
    logger.log_single_metric("WeightCheckpoint", b"1234", 1)
    logger.log_single_metric("Text", "passed over", 1)
    logger.close()
    history = read_history(tmp_path / "run")
    kinds = {name: history[f"{name}/_type"][0][1] for name in values}
    assert kinds.pop("Tensor") == "histogram"
    assert set(kinds.values()) == {"image-file"}
    assert not {"WeightCheckpoint", "Text"} & set(history)


def test_loggers_of_one_process_keep_their_runs_apart(
    make_logger: MakeLogger, tmp_path: Path
) -> None:
    loggers = {name: make_logger(name) for name in ("finetune", "cassle", "pnr")}
    for value, logger in enumerate(loggers.values()):
        logger.log_single_metric("Acc", float(value), 5)
    for logger in loggers.values():
        logger.close()
    for value, name in enumerate(loggers):
        assert read_history(tmp_path / name)["Acc"] == [(5, value)]


def test_errors_are_not_reported_unless_wished(
    make_logger: MakeLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_logger("silent").close()
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "true")
    make_logger("talking").close()
    assert os.environ["WANDB_ERROR_REPORTING"] == "true"


def test_a_logger_from_a_checkpoint_goes_on_with_its_run(
    make_logger: MakeLogger,
) -> None:
    logger = make_logger("run")
    checkpoint, identity = pickle.dumps(logger), logger.run.id
    logger.close()
    restored = pickle.loads(checkpoint)
    restored.log_single_metric("Acc", 0.5, 3)
    assert restored.run.id == identity
    restored.close()
