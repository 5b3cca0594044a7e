"""A first ``learn`` that is refused leaves nothing behind, whatever the reason."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from avalanche_pnr import Learner, resnet_small
from avalanche_pnr.benchmarks.reading.file_images import UnreadableImageError
from avalanche_pnr.learner import folder as files
from avalanche_pnr.learner import planning
from avalanche_pnr.learner.command import main
from avalanche_pnr.learner.folder import LearnerFolder
from avalanche_pnr.learner.next_experience import NextExperience
from avalanche_pnr.runs.lock import locked
from tests.learner.conftest import SETTINGS, TRAINING, command

Make = Callable[..., Learner]
Prepare = Callable[[Path], list[str]]


def missing(photos: Path) -> list[str]:
    return ["init=nowhere.pth"]


def of_another_width(photos: Path) -> list[str]:
    torch.save(resnet_small(8).state_dict(), photos.parent / "narrow.pth")
    return [f"init={photos.parent / 'narrow.pth'}"]


def no_weights(photos: Path) -> list[str]:
    (photos.parent / "text.pth").write_text("no weights")
    return [f"init={photos.parent / 'text.pth'}"]


def unclear(photos: Path) -> list[str]:
    networks = {name: resnet_small(16).state_dict() for name in ("teacher", "student")}
    torch.save(networks, photos.parent / "two.pth")
    return [f"init={photos.parent / 'two.pth'}"]


def damaged(photos: Path) -> list[str]:
    sorted(photos.rglob("*.png"))[-1].write_bytes(b"no image")
    return []


def all_damaged(photos: Path) -> list[str]:
    for number, each in enumerate(photos.rglob("*.png")):
        each.write_bytes(b"no image %d" % number)
    return []


def an_empty_folder(photos: Path) -> list[str]:
    for each in photos.rglob("*.png"):
        each.unlink()
    return []


def options(*typed: str) -> Prepare:
    return lambda _: list(typed)


REFUSED: dict[str, tuple[Prepare, str]] = {
    "init that is not there": (missing, "nowhere.pth"),
    "init of another network": (of_another_width, "narrow.pth"),
    "init that is no file of weights": (no_weights, "text.pth"),
    "init of several networks": (unclear, "init_key=NAME"),
    "damaged image": (damaged, "1 of 40 images cannot be read"),
    "damaged images": (all_damaged, "40 of 40 images cannot be read"),
    "damaged images left out": (
        lambda photos: [*all_damaged(photos), "skip_damaged=true"],
        "holds no image that can be read",
    ),
    "no image": (an_empty_folder, "there are no images in"),
    "larger batch": (options("batch_size=41"), "a step takes 41"),
    "argument of the method": (options("method.widht=3"), "method.widht"),
    "value of the method": (options("method.hidden_dim=-1"), ""),
    "argument of the backbone": (
        options("backbone.widht=3"),
        "did you mean backbone.width?",
    ),
    "no such backbone": (options("backbone=no.such"), "cannot be imported"),
    "image_size": (options("image_size=1"), "makes images 8 times smaller"),
    "no such option": (options("epoch=1"), "did you mean epochs?"),
    "bad option": (options("precision=fp8"), "there is no precision=fp8"),
    "bad device": (options("device=gpu"), "device=gpu cannot be used"),
    "rate": (options("base_lr=4e9", "epochs=20"), "begin it anew, with a lower base_l"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_command_leaves_no_folder(
    reason: str, photos: list[Path], tmp_path: Path
) -> None:
    prepare, sentence = REFUSED[reason]
    learner = tmp_path / "shelf" / "birds"
    chosen = dict(each.split("=", 1) for each in prepare(photos[0]))
    arguments = {"data": photos[0], "learner": learner, **SETTINGS, **TRAINING}
    if "no.such" in chosen.values():
        del arguments["backbone.width"]
    with pytest.raises(SystemExit) as stop:
        main(["learn", *command({**arguments, **chosen})])
    assert "error: " in str(stop.value.code)
    assert sentence in str(stop.value.code)
    assert not learner.parent.exists()


def test_after_a_refusal_settings_can_be_chosen_anew(
    make_learner: Make, photos: list[Path]
) -> None:
    damaged(photos[0])
    with pytest.raises(UnreadableImageError):
        make_learner().learn(photos[0], **TRAINING)
    other = make_learner(image_size=16, seed=7)
    assert other.learn(photos[1], **TRAINING)["number"] == 1


def test_a_folder_that_was_there_stays_as_it_was(
    make_learner: Make, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos" / "experiences").mkdir(parents=True)
    kept = tmp_path / "photos" / "experiences" / "mine.txt"
    kept.write_text("mine")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        make_learner("empty", init="nowhere.pth").learn(photos[0], **TRAINING)
    with pytest.raises(FileExistsError, match="is not empty and holds no learner"):
        make_learner("photos").learn(photos[0], **TRAINING)
    assert not list((tmp_path / "empty").iterdir())
    assert [p for p in (tmp_path / "photos").rglob("*") if p.is_file()] == [kept]


def test_what_others_put_into_the_folder_meanwhile_stays(
    make_learner: Make, photos: list[Path], tmp_path: Path
) -> None:
    learner = make_learner()

    def say(line: str) -> None:
        (learner.folder.path / "notes.txt").write_text(line)

    learner.say = say
    with pytest.raises(FloatingPointError):
        learner.learn(photos[0], **{**TRAINING, "base_lr": 4e9, "epochs": 20})
    assert [each.name for each in learner.folder.path.iterdir()] == ["notes.txt"]


def test_the_learner_of_a_process_at_work_stays(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    learner.folder.path.mkdir()
    with locked(learner.folder.path), pytest.raises(BlockingIOError, match="in use"):
        make_learner().learn(photos[0], **TRAINING)
    assert learner.folder.path.exists()


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (planning, "choose_device"),
        (NextExperience, "_advise"),
        (LearnerFolder, "begin"),
        (files, "write_json"),
        (files, "write_array"),
    ],
)
def test_a_failure_at_any_step_leaves_no_folder(
    where: Any,
    name: str,
    make_learner: Make,
    photos: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, name, full)
    learner = make_learner()
    with pytest.raises(OSError, match="No space left"):
        learner.learn(photos[0], **TRAINING)
    assert not learner.folder.path.exists()


def test_a_signal_before_anything_is_saved_leaves_no_folder(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    # The learner is made by then.
    monkeypatch.setattr(NextExperience, "_advise", stopped)
    arguments = {"data": photos[0], "learner": tmp_path / "birds"}
    with pytest.raises(SystemExit) as stop:
        main(["learn", *command({**arguments, **SETTINGS, **TRAINING})])
    assert stop.value.code == 143
    assert not (tmp_path / "birds").exists()


def test_a_refused_later_experience_changes_nothing(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **TRAINING)
    before = content(learner.folder.path)
    damaged(photos[1])
    with pytest.raises(UnreadableImageError):
        learner.learn(photos[1])
    assert content(learner.folder.path) == before


def test_undo_drops_an_experience_that_was_killed_before_it_was_saved(
    make_learner: Make, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **TRAINING)
    with monkeypatch.context() as killed:
        # A kill runs no handler that would clear up.
        killed.setattr(files.LearnerFolder, "leave_current", lambda _: None)
        killed.setattr(NextExperience, "_train", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            learner.learn(photos[1])
    assert learner.folder.current.exists()
    assert learner.undo() == 2
    assert not learner.folder.current.exists()
    assert len(learner.folder.experiences()) == 1


def content(folder: Path) -> dict[Path, bytes]:
    """Bytes of all files of a learner but the one that other programs watch."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "status.json"
    }
