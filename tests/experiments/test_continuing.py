"""A run that was stopped and started again ends as if it had not been stopped."""

import errno
import os
import re
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.core import SupervisedPlugin

from avalanche_pnr import SelfSupervised
from avalanche_pnr.runs.files import load_state, previous
from avalanche_pnr.runs.interruption import InterruptedRunError
from avalanche_pnr.runs.lock import locked
from avalanche_pnr.runs.periodic_save import PeriodicSave
from experiments import environment, journal, run
from experiments.continuing import is_finished
from experiments.environment import git_state
from experiments.trainer import Trainer
from tests.experiments.small_runs import composed, finished, prepared, save_images
from tests.training.continued import differences

pytestmark = pytest.mark.usefixtures("uncovered")

REPLAY = "{_target_: avalanche.training.plugins.ReplayPlugin, mem_size: 12}"
PNR = "{_target_: avalanche_pnr.PNRPlugin, predictor_hidden_dim: 16}"
RUN = [
    "method=mocov2plus",
    "method.queue_length=32",
    f"plugins.pnr=[{PNR},{REPLAY}]",
    "epochs=2",
    "stream.n_experiences=3",
    "data=npz",
]
ALL = ["references=[random backbone]", "regularizers=[finetune,pnr,joint,single]"]
ONE = ["regularizers=[pnr]"]
# 32 images an experience, batches of 8: an epoch has 4 iterations and 5 pauses.
EPOCH = 5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three experiences of 32 images and two classes."""
    path = save_images(tmp_path_factory.mktemp("data") / "images.npz")
    return [*RUN, f"data.path={path}"]


@pytest.fixture(scope="module")
def whole_state(data: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder and last state of a run of one regularizer without a break."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return out, ended(out, *data, *ONE)


@pytest.fixture(scope="module")
def whole(whole_state: Any) -> Path:
    """Its folder."""
    out: Path = whole_state[0]
    return out


@contextmanager
def stopping_after(pauses: int) -> Iterator[None]:
    """A signal comes before some pause of training."""
    checkpoint, number = PeriodicSave.checkpoint, count(1)

    def signalled(self: PeriodicSave[Any], strategy: SelfSupervised) -> None:
        if next(number) == pauses:
            os.kill(os.getpid(), signal.SIGTERM)
        checkpoint(self, strategy)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PeriodicSave, "checkpoint", signalled)
        yield


def ended(out: Path, *choices: str) -> dict[str, Any]:
    """The state that the last strategy of a run ends with."""
    strategies: list[SelfSupervised] = []
    judge = Trainer.evaluate

    def watched(self: Trainer, name: str, strategy: SelfSupervised) -> None:
        strategies.append(strategy)
        judge(self, name, strategy)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "evaluate", watched)
        finished(out, *choices)
    return strategies[-1].state_dict()


def stopped(out: Path, pauses: int, *choices: str) -> bool:
    """Whether a run, begun or continued, was stopped after some pauses."""
    with stopping_after(pauses):
        try:
            prepared(out, *choices).run()
        except InterruptedRunError:
            return True
    return False


def assert_same(whole: Path, broken: Path) -> None:
    results = [(each / "results.jsonl").read_text() for each in (whole, broken)]
    assert results[0].splitlines()[2:] == results[1].splitlines()[2:]
    first = [load_state(each / "first_experience.pt") for each in (whole, broken)]
    assert differences(*first) == []
    for kind in ("features_*", "backbone_*"):
        files = {path.name: path.read_bytes() for path in whole.glob(kind)}
        assert files == {p.name: p.read_bytes() for p in broken.glob(kind)}
    assert {path.name for path in broken.iterdir()} == {p.name for p in whole.iterdir()}


@pytest.mark.parametrize("workers", [0, 2])
def test_moco_pnr_and_replay_end_the_same_wherever_they_are_stopped(
    workers: int, whole_state: Any, data: list[str], tmp_path: Path
) -> None:
    whole, state = whole_state
    out, choices = tmp_path / "run", [*data, *ONE, f"workers={workers}"]
    breaks = [2, EPOCH - 1, EPOCH, 2 * EPOCH + 2, 3] if workers == 0 else [3, 12]
    for pauses in breaks:
        assert stopped(out, pauses, *choices)
        assert not is_finished(out, composed(*choices))
    assert differences(state, ended(out, *choices)) == []
    assert_same(whole, out)
    assert is_finished(out, composed(*choices))


def test_all_modes_end_the_same_wherever_they_are_stopped(
    data: list[str], tmp_path: Path
) -> None:
    out, choices = tmp_path / "run", [*data, *ALL, "epochs=1"]
    finished(tmp_path / "whole", *choices)
    breaks = 0
    while stopped(out, EPOCH + 2, *choices):
        breaks += 1
    assert breaks > 4
    assert_same(tmp_path / "whole", out)


@pytest.mark.parametrize("experience", [2, 3])
def test_a_run_that_dies_while_it_judges_judges_again(
    experience: int,
    whole_state: Any,
    data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, state = whole_state
    out, judge = tmp_path / "run", Trainer.evaluate

    def dying(self: Trainer, name: str, strategy: Any) -> None:
        judge(self, name, strategy)
        if strategy.clock.train_exp_counter == experience:
            raise MemoryError

    monkeypatch.setattr(Trainer, "evaluate", dying)
    with pytest.raises(MemoryError):
        prepared(out, *data, *ONE).run()
    monkeypatch.undo()
    assert load_state(out / "state.pt")["strategy"]["experience"] is None
    assert differences(state, ended(out, *data, *ONE)) == []
    assert_same(whole, out)


def test_a_run_that_dies_at_its_very_beginning_is_described_again(
    whole: Path, data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, describe = tmp_path / "run", run.Comparison._describe

    def dying(self: run.Comparison, facts: Any) -> None:
        describe(self, facts)
        raise MemoryError

    monkeypatch.setattr(run.Comparison, "_describe", dying)
    with pytest.raises(MemoryError):
        prepared(out, *data, *ONE).run()
    monkeypatch.undo()
    finished(out, *data, *ONE)
    assert_same(whole, out)


def test_a_run_is_saved_at_the_end_of_an_epoch_when_it_is_time(
    data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Any] = []
    save = journal.save_state
    monkeypatch.setattr(
        journal, "save_state", lambda path, s: (saved.append(s), save(path, s))
    )

    def strategies(minutes: str) -> list[tuple[Any, int]]:
        saved.clear()
        choices = [*data, *ONE, f"save_every_minutes={minutes}"]
        finished(tmp_path / minutes, *choices)
        states = [each["strategy"] for each in saved if each["strategy"]]
        return [(each["experience"], each["batches"]) for each in states]

    assert strategies("0") == [
        *[(0, 0), (0, 0), (None, 0)],
        *[(1, 0), (1, 0), (None, 0)],
        *[(2, 0), (2, 0), (None, 0)],
    ]
    assert strategies("60") == [(None, 0)] * 3


@pytest.mark.parametrize("damage", ["truncated", "flipped", "removed"])
def test_of_a_damaged_state_the_one_before_is_used(
    damage: str, whole: Path, data: list[str], tmp_path: Path
) -> None:
    out, choices = tmp_path / "run", [*data, *ONE, "save_every_minutes=0"]
    assert stopped(out, 2 * EPOCH + 7, *choices)
    state = out / "state.pt"
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "removed":
        state.unlink()
    else:
        state.write_bytes(content if damage == "flipped" else content[:1000])
    with pytest.warns(UserWarning, match=r"using .*previous, the state before"):
        finished(out, *choices)
    assert_same(whole, out)


def test_two_damaged_states_are_refused(data: list[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert stopped(out, 2 * EPOCH + 7, *data, *ONE)
    for path in (out / "state.pt", previous(out / "state.pt")):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="there is no state to continue from"):
        is_finished(out, composed(*data, *ONE))


def test_a_damaged_first_experience_is_read_from_its_copy(
    data: list[str], tmp_path: Path
) -> None:
    out, choices = tmp_path / "run", [*data, "regularizers=[finetune,pnr]"]
    finished(tmp_path / "whole", *choices)
    assert stopped(out, 2 * EPOCH + 7, *choices)
    (out / "first_experience.pt").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"first_experience.pt is damaged"):
        finished(out, *choices)
    results = [each / "results.jsonl" for each in (tmp_path / "whole", out)]
    lines = [each.read_text().splitlines()[2:] for each in results]
    assert lines[0] == lines[1]


def test_runs_with_other_loggers_are_continued(
    whole: Path, data: list[str], tmp_path: Path
) -> None:
    out, choices = tmp_path / "run", [*data, *ONE, "loggers=[tensorboard]"]
    for pauses in (3, 2 * EPOCH - 1, 3):
        assert stopped(out, pauses, *choices)
    finished(out, *choices)
    results = [(each / "results.jsonl").read_text() for each in (whole, out)]
    assert results[0].splitlines()[2:] == results[1].splitlines()[2:]


class Hoarder(SupervisedPlugin):
    """Keeps something that is no plain data."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = iter(())


def test_what_cannot_be_saved_is_told_and_begins_anew(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins = f"plugins.pnr=[{PNR},{{_target_: {__name__}.Hoarder}}]"
    choices = [*data, *ONE, plugins]
    finished(tmp_path / "whole", *choices)
    told = r"note: pnr can only start again \(Hoarder.kept is a tuple_iterator.*\)"
    assert len(re.findall(told, capsys.readouterr().out)) == 2
    assert stopped(tmp_path / "run", 2 * EPOCH + 7, *choices)
    finished(tmp_path / "run", *choices)
    assert_same(tmp_path / "whole", tmp_path / "run")


def test_another_configuration_is_refused_with_every_difference(
    data: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert stopped(out, 3, *data, *ONE)
    choices = ["stream=data", "regularizers=[cassle]", "optimizer.lr=0.2"]
    other = composed(*data, *choices, f"out={out}")
    told = r"of another configuration \(regularizers is .*; stream._target_ .*; optim"
    with pytest.raises(ValueError, match=told) as refusal:
        is_finished(out, other, choices[:2])
    for difference in (
        r"optimizer.lr is 0.0",
        "0.2 here",
        "regularizers is ['pnr'] there and ['cassle'] here",
    ):
        assert difference in str(refusal.value)
    may_differ = ["workers=3", "save_every_minutes=1", "out=elsewhere"]
    assert not is_finished(out, composed(*data, *ONE, *may_differ))


def test_what_another_run_has_begun_meanwhile_is_refused(
    data: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    waiting = prepared(out, *data, *ONE, "optimizer.lr=0.2")
    assert stopped(out, 3, *data, *ONE)
    with pytest.raises(ValueError, match=r"another configuration \(optimizer.lr is"):
        waiting.run()


def test_other_folders_are_refused(data: list[str], tmp_path: Path) -> None:
    config = composed(*data)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="is not an empty folder: choose another"):
        is_finished(tmp_path, config)
    with pytest.raises(FileExistsError, match="is not an empty folder"):
        is_finished(tmp_path / "notes.txt", config)
    assert not is_finished(tmp_path / "nothing", config)


def test_a_run_without_a_state_is_finished_or_refused(
    whole: Path, data: list[str], tmp_path: Path
) -> None:
    """As those are that an older release has written."""
    out = tmp_path / "run"
    out.mkdir()
    for name in ("config.yaml", "results.jsonl"):
        (out / name).write_bytes((whole / name).read_bytes())
    config = composed(*data, *ONE)
    assert is_finished(out, config)
    lines = (out / "results.jsonl").read_text().splitlines(keepends=True)
    (out / "results.jsonl").write_text("".join(lines[:-60]))
    with pytest.raises(ValueError, match=r"is incomplete.*state.pt.*is missing"):
        is_finished(out, config)
    (out / "results.jsonl").unlink()
    assert not is_finished(out, config)  # stopped before anything was written


def test_results_that_were_shortened_are_refused(
    data: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert stopped(out, 2 * EPOCH + 7, *data, *ONE)
    (out / "results.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"holds 0 bytes, \d+ fewer than when"):
        prepared(out, *data, *ONE).run()


def test_results_that_lead_out_of_the_folder_are_refused(
    data: list[str], tmp_path: Path
) -> None:
    out, outside = tmp_path / "run", tmp_path / "outside"
    assert stopped(out, 2 * EPOCH + 7, *data, *ONE)
    (out / "results.jsonl").rename(outside)
    with outside.open("a") as file:
        file.write("more than the state knows\n")
    content = outside.read_bytes()
    (out / "results.jsonl").symlink_to(outside)
    with pytest.raises(ValueError, match="is a link, and a run writes to files of its"):
        prepared(out, *data, *ONE).run()
    assert outside.read_bytes() == content


def test_other_data_is_refused(data: list[str], tmp_path: Path) -> None:
    images = save_images(tmp_path / "images.npz")
    out, choices = tmp_path / "run", [*data, *ONE, f"data.path={images}"]
    assert stopped(out, 3, *choices)
    with np.load(images) as arrays:
        changed = {**arrays, "x": 255 - arrays["x"]}
    np.savez(images, **changed)
    with pytest.raises(ValueError, match=r"the data are not what .* was begun with"):
        prepared(out, *choices).run()


@pytest.mark.parametrize(("experiences", "told"), [(40, True), (4, False)])
def test_many_evaluations_are_told_of_before_they_begin(
    experiences: int,
    told: bool,
    data: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    choices = ["stream=data", f"stream.n_experiences={experiences}", "batch_size=2"]
    names = "regularizers=[finetune,cassle,pnr,pfr,joint,er]"
    prepared(tmp_path / "run", *data, *choices, names)._warn_of_many()
    note = f"note: 201 evaluations are to come, one after each of {experiences} exper"
    assert (note in capsys.readouterr().out) == told


def test_other_versions_are_told_and_recorded(
    whole: Path, data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, choices = tmp_path / "run", [*data, *ONE]
    assert stopped(out, 2 * EPOCH + 7, *choices)
    now = {**environment.environment(), "torch": "99.0"}
    monkeypatch.setattr(run, "environment", lambda: now)
    ended = finished(out, *choices)
    versions = [line["torch"] for line in ended.of("environment")]
    assert versions == [torch.__version__.split("+")[0], "99.0"]
    assert set(ended.of("environment")[0]) >= {"python", "train data", "test data"}
    results = [(each / "results.jsonl").read_text() for each in (whole, out)]
    assert len(results[1].splitlines()) == len(results[0].splitlines()) + 1


def test_a_second_run_in_a_folder_is_refused(data: list[str], tmp_path: Path) -> None:
    out, config = tmp_path / "run", composed(*data, *ONE)
    assert stopped(out, 3, *data, *ONE)
    pid = os.getpid()
    with locked(out):
        with pytest.raises(BlockingIOError, match=f"in use by process {pid} on this"):
            prepared(out, *data, *ONE).run()
        with pytest.raises(BlockingIOError, match="in use by process"):
            is_finished(out, config)
    assert not is_finished(out, config)


def test_the_commit_is_that_of_a_repository_only(tmp_path: Path) -> None:
    assert git_state(tmp_path) == ""
    if (environment.ROOT / ".git").exists():
        assert git_state(environment.ROOT)[:12].isalnum()


def test_results_are_synced_where_files_must_be_open_for_writing(
    data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    sync, access = os.fsync, os.O_WRONLY | os.O_RDWR

    def strict(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        writable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & access
        if not (writable or is_folder):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        sync(descriptor)

    fcntl = pytest.importorskip("fcntl", reason="asks which way a file is open")
    monkeypatch.setattr(os, "fsync", strict)
    finished(tmp_path / "run", *data, "regularizers=[finetune]", "epochs=1")
