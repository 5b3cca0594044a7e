"""What is said while a learner learns: progress, warnings, the status for programs."""

import json
import os
import pty
import select
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from avalanche_pnr import Learner
from avalanche_pnr.learner import watch
from avalanche_pnr.learner.watch import ProgressPlugin, returned, warnings_of
from tests.commands import Command
from tests.learner.conftest import SETTINGS, TRAINING, command

Make = Callable[..., Learner]


def record(epoch: int, rank: float = 4.0, cka: float | None = None) -> dict[str, Any]:
    drift = {} if cka is None else {"1": cka}
    return {"epoch": epoch, "loss": 1.0, "effective_rank": rank, "cka": drift}


def test_a_collapse_is_warned_of_once() -> None:
    history = [record(0, 8.0), record(1, 2.1)]
    assert warnings_of(history) == []
    history.append(record(2, 1.9))
    (warning,) = warnings_of(history)
    assert "the features collapse" in warning
    assert "lower base_lr" in warning
    assert warnings_of([*history, record(3, 0.0)]) == []


def test_drift_is_warned_of_with_its_experience() -> None:
    history = [record(0, cka=1.0), record(1, cka=0.6), record(2, cka=0.4)]
    assert warnings_of(history[:2]) == []
    (warning,) = warnings_of(history)
    assert "after epoch 2 the representation of experience 1 has drifted" in warning
    assert "(CKA 0.40, below 0.5)" in warning
    history.append(record(3, cka=0.3))
    assert warnings_of(history) == returned(history) == []
    history.append(record(4, cka=0.7))
    assert warnings_of(history) == []
    assert returned(history) == ["1"]
    assert returned([*history, record(5, cka=0.7)]) == []


def test_a_representation_that_has_become_a_point_is_drift() -> None:
    old = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    assert watch._cka(old, torch.ones(9, 3)) == 0.0


def test_what_has_collapsed_before_is_said_to_have_and_not_to_drift() -> None:
    (warning,) = warnings_of([record(0, 0.0)])
    assert "the same before this experience" in warning
    assert "undo what has collapsed" in warning
    assert warnings_of([record(0, 0.0), record(1, 0.0)]) == []
    point, cloud = torch.ones(9, 3), torch.eye(9, 3)
    watching = watch.WatchPlugin({}, {1: point, 2: cloud}, print)
    assert set(watching._reference) == {2}


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


def test_a_line_a_minute_and_the_status_for_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, said = Clock(), list[str]()
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr("tqdm.std.time", clock.time)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    status = tmp_path / "status.json"
    plugin = ProgressPlugin("experience 3", status, {"experience": 3}, said.append)
    strategy = SimpleNamespace(
        dataloader=range(50),
        train_epochs=4,
        loss=torch.tensor(0.5),
        mb_x=torch.zeros(8),
        clock=SimpleNamespace(train_exp_iterations=0),
    )
    for step in range(150):
        strategy.clock.train_exp_iterations = step
        plugin.before_training_iteration(strategy)
        clock.now += 1
        plugin.after_training_iteration(strategy)
    assert [line.partition(",")[0] for line in said] == [
        "experience 3: step 60 of 200",
        "experience 3: step 120 of 200",
    ]
    assert said[0].endswith("loss 0.5, 8 images/s, 2 minutes left")
    content = json.loads(status.read_text())
    assert content["state"] == "learning"
    assert content["experience"] == 3
    assert (content["step"], content["steps"]) == (150, 200)
    assert content["seconds_left"] == 50


@pytest.mark.slow
def test_a_terminal_gets_a_bar_with_speed_and_time_left(
    photos: list[Path], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    options = command({**SETTINGS, **TRAINING, "epochs": 200})
    learn = ["learn", f"data={photos[0]}", f"learner={tmp_path}/x", *options]
    process = Command("avalanche_pnr", *learn, terminal=os.ttyname(theirs))
    assert select.select([ours], [], [], 60)[0]
    shown = os.read(ours, 4096)  # by then the command has opened it, too
    os.close(theirs)
    try:
        while more := os.read(ours, 4096):
            shown += more
    except OSError:  # how a terminal ends on Linux
        pass
    assert process.ended().returncode == 0
    assert b"experience 1:" in shown
    assert b"images/s" in shown
    assert b"/400 [" in shown
    assert json.loads((tmp_path / "x" / "status.json").read_text())["state"] == "idle"


def test_a_loss_that_is_not_finite_ends_with_what_to_do(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    options = {**TRAINING, "base_lr": 4e9, "epochs": 20}
    anew = "experience 1 of the learner .* Nothing of it was saved: begin it anew, with"
    with pytest.raises(FloatingPointError, match=anew):
        learner.learn(photos[0], **options)
    assert not learner.folder.path.exists()
    assert learner.learn(photos[0], **TRAINING)["number"] == 1


def test_undo_after_a_loss_that_is_not_finite_leaves_the_experience_before(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **TRAINING)
    options = {**TRAINING, "base_lr": 4e9, "epochs": 20}
    with pytest.raises(FloatingPointError, match="Nothing of it was saved: begin"):
        learner.learn(photos[1], **options)
    assert not learner.folder.current.exists()
    with pytest.raises(FloatingPointError, match=r"Undo it .* and begin it anew"):
        diverge_after_a_save(learner, photos[1], options)
    status = json.loads((learner.folder.path / "status.json").read_text())
    assert status["state"] == "stopped"
    assert learner.undo() == 2
    assert len(learner.folder.experiences()) == 1
    assert learner.learn(photos[1], **TRAINING)["number"] == 2


def diverge_after_a_save(
    learner: Learner, photos: Path, options: dict[str, Any]
) -> None:
    """Learn with a rate that rises, and save after each epoch."""
    slow = {**options, "warmup_epochs": 2, "save_every_minutes": 0}
    learner.learn(photos, **slow)
