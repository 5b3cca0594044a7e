"""Runs that begin with weights of a file, and the weights that runs leave."""

import copy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from avalanche_pnr.runs.files import file_checksum, load_state
from experiments.__main__ import main
from experiments.builders import make_method
from experiments.continuing import is_finished
from experiments.reporting.protocol import facts
from experiments.results import Run, read_run
from experiments.trainer import Trainer
from tests.distributed.processes import together
from tests.experiments.small_runs import TINY, composed, finished, prepared, save_images
from tests.experiments.test_continuing import assert_same, stopped

ALL = "regularizers=[finetune,pnr,joint,single]"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three experiences of 32 images and two classes; momentum networks."""
    path = save_images(tmp_path_factory.mktemp("data") / "images.npz")
    return [
        "method=mocov2plus",
        "method.queue_length=32",
        "stream.n_experiences=3",
        "references=[random backbone]",
        "data=npz",
        f"data.path={path}",
    ]


@pytest.fixture(scope="module")
def source(data: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run with another seed."""
    out = tmp_path_factory.mktemp("source") / "run"
    finished(out, *data, "regularizers=[finetune,joint]", "seed=1")
    return out


@pytest.fixture(scope="module")
def init(source: Path) -> Path:
    """Weights that it has left."""
    return source / "backbone_finetune.safetensors"


@dataclass
class Watched:
    """A run, with copies of its networks.

    Attributes:
        begun: Where each training on an experience begins.
        judged: Where each name is last judged.
    """

    run: Run
    begun: list[nn.Module]
    judged: dict[str, nn.Module]


def watched(out: Path, *choices: str) -> Watched:
    begun: list[nn.Module] = []
    judged: dict[str, nn.Module] = {}
    train, judge = Trainer.train, Trainer.evaluate

    def trained(self: Trainer, strategy: Any, experience: Any) -> None:
        begun.append(copy.deepcopy(strategy.model))
        train(self, strategy, experience)

    def noted(self: Trainer, name: str, strategy: Any) -> None:
        judged[name] = copy.deepcopy(strategy.model)
        judge(self, name, strategy)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train", trained)
        patch.setattr(Trainer, "evaluate", noted)
        return Watched(finished(out, *choices), begun, judged)


def same(module: Any, weights: dict[str, Tensor]) -> bool:
    state = module.state_dict()
    return state.keys() == weights.keys() and all(
        torch.equal(state[name], weights[name]) for name in weights
    )


@pytest.fixture(scope="module")
def done(
    data: list[str], init: Path, tmp_path_factory: pytest.TempPathFactory
) -> Watched:
    """A run that begins with those weights."""
    out = tmp_path_factory.mktemp("done") / "run"
    return watched(out, *data, ALL, f"init={init}")


def test_every_training_begins_with_exactly_these_weights(
    done: Watched, init: Path
) -> None:
    # The shared first experience, two more with each regularizer, joint, single.
    from_the_start = [True, False, False, False, False, True, True, True]
    for network in ("backbone", "momentum_backbone"):
        begun = [same(getattr(each, network), load_file(init)) for each in done.begun]
        assert begun == from_the_start


def test_the_reference_stays_random(done: Watched, data: list[str]) -> None:
    random = make_method(composed(*data)).backbone.state_dict()
    assert same(done.judged["random backbone"].backbone, random)


def test_nothing_but_the_backbone_is_another_than_without(
    data: list[str], init: Path
) -> None:
    plain, begun = (
        make_method(composed(*data, *choice)).state_dict()
        for choice in ([], [f"init={init}"])
    )
    different = {name for name in plain if not torch.equal(plain[name], begun[name])}
    assert different
    assert {name.partition(".")[0] for name in different} == {
        "backbone",
        "momentum_backbone",
    }


def test_the_file_is_recorded_with_its_checksum(done: Watched, init: Path) -> None:
    assert done.run.of("environment")[0]["init"] == file_checksum(init)
    assert done.run.settings["init"] == str(init)
    assert f"begun with {init}" in facts([done.run])["Training"]


def test_the_first_experience_of_a_run_begins_another(
    data: list[str], source: Path
) -> None:
    path = source / "first_experience.pt"
    backbone = make_method(composed(*data, f"init={path}")).backbone
    state = load_state(path)["model"]
    names = [name for name in state if name.startswith("backbone.")]
    weights = {each.removeprefix("backbone."): state[each] for each in names}
    assert same(backbone, weights)


def test_runs_leave_the_backbones_they_end_with(done: Watched) -> None:
    files = done.run.folder.glob("*.safetensors")
    left = {each.stem.removeprefix("backbone_"): load_file(each) for each in files}
    assert left.keys() == {"finetune", "pnr", "joint"}
    for name, weights in left.items():
        assert same(done.judged[name].backbone, weights)


def test_a_run_that_was_stopped_ends_the_same_and_begins_from_the_file_once(
    done: Watched, data: list[str], init: Path, tmp_path: Path
) -> None:
    out, choices = tmp_path / "run", [*data, ALL, f"init={init}"]
    while stopped(out, 7, *choices):
        assert not is_finished(out, composed(*choices))
    assert_same(done.run.folder, out)


def test_another_file_is_another_configuration(
    done: Watched, data: list[str], init: Path
) -> None:
    out = done.run.folder
    assert is_finished(out, composed(*data, ALL, f"init={init}"))
    difference = rf"\(init is {init} there and None here\)"
    with pytest.raises(ValueError, match=difference):
        is_finished(out, composed(*data, ALL))


def test_a_file_that_has_changed_is_refused(
    data: list[str], init: Path, tmp_path: Path
) -> None:
    own, out = tmp_path / "own.safetensors", tmp_path / "run"
    own.write_bytes(init.read_bytes())
    choices = [*data, "regularizers=[joint]", f"init={own}"]
    assert stopped(out, 3, *choices)
    save_file({k: 2 * v for k, v in load_file(own).items()}, own)
    with pytest.raises(ValueError, match=r"was begun with \(differing: init\)"):
        prepared(out, *choices).run()
    own.write_bytes(init.read_bytes())
    finished(out, *choices)


def test_several_processes_begin_with_the_same_weights(
    data: list[str], init: Path, tmp_path: Path
) -> None:
    out, choices = tmp_path / "run", [*data, "regularizers=[joint]", f"init={init}"]

    def train() -> tuple[bool, bool]:
        done = watched(out, *choices)
        left = load_file(out / "backbone_joint.safetensors")
        begun = same(done.begun[0].backbone, load_file(init))
        return begun, same(done.judged["joint"].backbone, left)

    assert together(2, train) == [(True, True)] * 2
    run = read_run(out)
    assert run.of("environment")[0]["init"] == file_checksum(init)


@pytest.mark.parametrize(
    ("file", "answer"),
    [
        ("nothing.pth", r"init=.*nothing\.pth is not a file"),
        ("text.pth", r"text\.pth is damaged, or not a file of torch\.save"),
        ("other.pth", r"other\.pth does not fit Sequential \(missing: 0\.weight, "),
    ],
)
def test_a_wrong_file_ends_a_run_with_one_sentence_and_nothing_is_written(
    file: str,
    answer: str,
    data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"conv1.weight": torch.ones(3)}, tmp_path / "other.pth")
    out = tmp_path / "out"
    arguments = [*TINY, *data, f"init={tmp_path / file}", f"out={out}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit, match=rf"^error: .*{answer}"):
        main()
    assert not out.exists()


def test_one_of_several_networks_is_named_by_its_key(
    data: list[str],
    init: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teacher = load_file(init)
    student = {name: tensor + 1 for name, tensor in teacher.items()}
    path, out = tmp_path / "dino.pth", tmp_path / "run"
    torch.save({"student": student, "teacher": teacher}, path)
    arguments = [*TINY, *data, "regularizers=[finetune]", f"init={path}", f"out={out}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit, match=r"\('student', 'teacher'\): .*init_key=NAME"):
        main()
    monkeypatch.setattr(sys, "argv", ["experiments", "init_key=teacher"])
    with pytest.raises(
        SystemExit, match=r"init_key=teacher names a network .*init=FILE"
    ):
        main()
    done = watched(out, *data, f"init={path}", "init_key=teacher", "regularizers=[pnr]")
    assert same(done.begun[0].backbone, teacher)
    told = (
        f"init: {path}: {len(teacher)} tensors under 'teacher' are used, {len(student)}"
    )
    assert told in capsys.readouterr().out
