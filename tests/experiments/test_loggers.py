"""Every logger that ``loggers=`` names holds what the run's own results hold."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from avalanche_pnr.evaluation import read_records
from experiments.checks import check_evaluation
from tests.evaluation.test_mlflow_logger import read_runs as read_mlflow
from tests.evaluation.wandb_file import read_runs as read_wandb
from tests.experiments.small_runs import composed, finished, save_images

Series = dict[str, list[tuple[int, float]]]
TRAININGS = ("first experience", "pnr")
LOGGERS = ["tensorboard", "wandb", *(["mlflow"] if find_spec("mlflow") else [])]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run over three experiences with all loggers."""
    folder = tmp_path_factory.mktemp("loggers")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CACHE", "CONFIG", "DATA", "ARTIFACT"):
            patch.setenv(f"WANDB_{name}_DIR", str(folder / "elsewhere"))
        for name, value in (
            ("MODE", "offline"),
            ("SILENT", "true"),
            ("CONSOLE", "off"),
        ):
            patch.setenv(f"WANDB_{name}", value)
        finished(
            folder / "my run",
            "data=npz",
            f"data.path={save_images(folder / 'images.npz')}",
            "stream.n_experiences=3",
            "regularizers=[pnr]",
            f"loggers=[{','.join(LOGGERS)}]",
        )
        yield folder / "my run"
        wandb.teardown()


def results(out: Path, training: str) -> Series:
    """Iteration and value of what a training has written, by the metric's full name."""
    found: Series = {}
    for line in read_records(out / "results.jsonl"):
        if line.get("run") != training or "iteration" not in line:
            continue
        phase, stream = "train", "train"
        if "stream" in line:
            phase, stream = "eval", line["stream"]
        name = f"{line['metric']}/{phase}_phase/{stream}_stream"
        if "experience" in line:
            name += f"/Exp{line['experience']:03d}"
        found.setdefault(name, []).append((line["iteration"], line["value"]))
    return found


def assert_same(found: Series, expected: Series) -> None:
    assert found.keys() == expected.keys()
    for name, series in expected.items():
        close = [(step, pytest.approx(value, nan_ok=True)) for step, value in series]
        assert sorted(found[name]) == close, name


def test_there_is_something_of_each_training_to_log(out: Path) -> None:
    first, pnr = (results(out, training) for training in TRAININGS)
    assert list(first) == ["Loss_Epoch/train_phase/train_stream"]
    assert {
        f"Convex_Acc_Exp/eval_phase/test_stream/Exp{k:03d}" for k in range(3)
    } < set(pnr)
    assert len(pnr["Convex_Acc_Stream/eval_phase/test_stream"]) == 3


@pytest.mark.parametrize("training", TRAININGS)
def test_tensorboard_holds_the_results(out: Path, training: str) -> None:
    events = EventAccumulator(str(out / "tensorboard" / training)).Reload()
    found = {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }
    assert_same(found, results(out, training))


@pytest.mark.parametrize("training", TRAININGS)
def test_wandb_holds_the_results(out: Path, training: str) -> None:
    history = read_wandb(out)[training]
    own = {name: each for name, each in history.items() if not name.startswith("_")}
    assert_same(own, results(out, training))


@pytest.mark.parametrize("training", TRAININGS)
def test_mlflow_holds_the_results(out: Path, training: str) -> None:
    pytest.importorskip("mlflow")
    run = read_mlflow(out)[training]
    assert run["experiment"] == "avalanche_pnr"
    assert run["status"] == "FINISHED"
    assert_same(run["series"], results(out, training))


def test_the_command_that_installs_a_missing_logger_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("experiments.checks.find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"^loggers=\[mlflow\] needs mlflow: pip install"
    ):
        check_evaluation(composed("loggers=[mlflow]"))
