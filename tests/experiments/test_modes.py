"""Joint and single-experience training beside continual learning."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.builders import make_method, make_probes
from experiments.overrides import check_overrides
from experiments.report import write_report
from experiments.results import Run, read_run
from experiments.run import Comparison
from experiments.trainer import Trainer
from tests.experiments.small_runs import prepared, save_images

pytestmark = pytest.mark.usefixtures("uncovered")

# Momentum networks and queues are state that modes could carry over by mistake.
MOCO = ["method=mocov2plus", "method.queue_length=32", "epochs=2"]
ALL = "regularizers=[finetune,joint,single]"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three experiences of 32 images and two classes."""
    path = save_images(tmp_path_factory.mktemp("data") / "images.npz")
    return [*MOCO, "data=npz", f"data.path={path}", "stream.n_experiences=3"]


@dataclass
class Finished:
    """A run, with the number of images and the classes of each training in turn."""

    comparison: Comparison
    trained: list[tuple[int, set[int]]]

    @property
    def run(self) -> Run:
        return read_run(self.comparison.out)


def watched(out: Path, *choices: str) -> Finished:
    done = Finished(prepared(out, *choices), [])
    train = Trainer.train

    def noted(self: Trainer, strategy: Any, experience: Any) -> None:
        targets = experience.dataset.targets
        done.trained.append((len(experience.dataset), set(targets)))
        train(self, strategy, experience)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train", noted)
        done.comparison.run()
    return done


@pytest.fixture(scope="module")
def together(data: list[str], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return watched(tmp_path_factory.mktemp("runs") / "all", *data, ALL)


@pytest.fixture(scope="module")
def alone(
    data: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Finished]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        mode: watched(folder / mode, *data, f"mode={mode}")
        for mode in ("joint", "single")
    }


def evaluations(run: Run, name: str, after: int) -> list[dict[str, Any]]:
    """What was measured of a training after some experiences, without when it was."""
    return [
        {k: v for k, v in each.items() if k not in ("run", "after", "iteration")}
        for each in run.of(name)
        if each["after"] == after and "epoch" not in each
    ]


def classes_of_experiences(done: Finished) -> list[set[int]]:
    return [set(classes) for classes in done.comparison.benchmark.class_order]


def test_joint_trains_once_on_all_images(alone: dict[str, Finished]) -> None:
    done = alone["joint"]
    assert done.trained == [(96, {0, 1, 2, 3, 4, 5})]
    assert done.run.names == ["joint"]
    assert not done.run.of("first experience")
    lines = done.run.of("joint")
    losses = [each for each in lines if each["metric"] == "Loss_Epoch"]
    assert [each["iteration"] for each in losses] == [96 // 8, 2 * 96 // 8]
    assert done.run.matrix("joint", "Convex_Acc_Exp").shape == (1, 3)
    assert (done.run.folder / "features_joint.npz").is_file()


def test_single_trains_once_on_each_experience(alone: dict[str, Finished]) -> None:
    done = alone["single"]
    assert done.trained == [(32, each) for each in classes_of_experiences(done)]
    assert done.run.matrix("single", "Convex_Acc_Exp").shape == (3, 3)


def test_the_shared_first_experience_is_trained_once(together: Finished) -> None:
    first, *others = [(32, each) for each in classes_of_experiences(together)]
    whole = (96, {0, 1, 2, 3, 4, 5})
    assert together.trained == [first, *others, whole, *others]


@pytest.mark.parametrize("k", [1, 2])
def test_single_models_are_those_of_a_fresh_training(
    k: int, together: Finished
) -> None:
    comparison, name = together.comparison, f"fresh {k}"
    trainer, probes = comparison.trainer, make_probes(comparison.config)
    strategy = trainer.strategy(name, make_method(comparison.config), probes)
    trainer.train(strategy, comparison.benchmark.train_stream[k])
    trainer.evaluate(name, strategy)
    # How far the past has moved is of no meaning where there is none.
    fresh, single, before = (
        [each for each in lines if each["metric"] != "CKA_Exp"]
        for lines in (
            evaluations(together.run, name, after=1),
            evaluations(together.run, "single", after=k + 1),
            evaluations(together.run, "single", after=k),
        )
    )
    assert single == fresh
    assert single != before


def test_the_first_row_of_single_is_that_of_finetuning(together: Finished) -> None:
    run = together.run
    single, finetune = (evaluations(run, name, 1) for name in ("single", "finetune"))
    assert single == finetune
    assert evaluations(run, "single", 2) != evaluations(run, "finetune", 2)


@pytest.mark.parametrize("mode", ["joint", "single"])
def test_modes_give_the_same_numbers_alone_and_beside_others(
    mode: str, alone: dict[str, Finished], together: Finished
) -> None:
    assert alone[mode].run.of(mode) == together.run.of(mode)


def test_progress_ends_where_training_does(
    alone: dict[str, Finished], together: Finished
) -> None:
    for done, trainings in ((together, 6), (alone["joint"], 1), (alone["single"], 3)):
        assert len(done.trained) == trainings
        bar = done.comparison.trainer.bar
        assert bar.n == bar.total == 2 * trainings
        names = ("first experience", *done.run.names)
        losses = [each for each in done.run.records if "epoch" in each]
        assert sum(each["run"] in names for each in losses) == 2 * trainings


def test_all_modes_are_in_one_report(together: Finished, tmp_path: Path) -> None:
    write_report([together.run.folder], tmp_path)
    page = (tmp_path / "report.html").read_text()
    for row in ("finetune", "joint", "single"):
        assert f"<td>{row}</td>" in page


@pytest.mark.parametrize("stream", ["data", "domain"])
def test_modes_go_with_the_other_streams(stream: str, tmp_path: Path) -> None:
    path = save_images(tmp_path / "images.npz", domains=3)
    source = ["data=npz", f"data.path={path}", f"stream={stream}"]
    if stream == "data":
        source.append("stream.n_experiences=3")
    prepared(tmp_path / "out", *source, "regularizers=[pnr,joint,single]").run()
    run, tested = read_run(tmp_path / "out"), 1 if stream == "data" else 3
    shapes = {name: run.matrix(name, "Convex_Acc_Exp").shape for name in run.names}
    assert shapes == {"pnr": (3, tested), "joint": (1, tested), "single": (3, tested)}


def test_an_unknown_mode_gets_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="no mode=jint; did you mean joint"):
        check_overrides(["mode=jint"])


@pytest.mark.parametrize("mode", ["joint", "single"])
def test_a_mode_and_other_regularizers_contradict_each_other(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [f"mode={mode}", "regularizers=[pnr]", f"out={tmp_path / 'out'}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit, match=rf"or write regularizers=\[pnr,{mode}\]"):
        main()
    assert not (tmp_path / "out").exists()
