"""Several seeds of one command: side by side, stopped and continued, one report."""

import html
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avalanche_pnr import SelfSupervised
from avalanche_pnr.runs.lock import check_free
from avalanche_pnr.runs.progress import Bar
from experiments import parallel, seed_list
from experiments.__main__ import main
from experiments.results import read_run
from experiments.seed_list import check_typed_seeds, jobs_at_a_time
from experiments.trainer import Trainer
from tests import commands
from tests.experiments.small_runs import TINY, composed, save_images

pytestmark = pytest.mark.usefixtures("no_pictures", "uncovered")

RUN = [*TINY, "stream.n_experiences=3", "data=npz"]
Command = Callable[..., None]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``python -m experiments`` with these arguments in this process."""
    data = save_images(tmp_path / "images.npz")
    chosen = [*RUN, f"data.path={data}", "regularizers=[finetune,pnr]"]

    def run(*arguments: str) -> None:
        options = [each for each in arguments if each.startswith("--")]
        settings = [each for each in arguments if not each.startswith("--")]
        monkeypatch.setattr(sys, "argv", ["-", *options, *chosen, *settings])
        main()

    return run


def numbers(out: Path) -> list[str]:
    """What a run measured, without the versions and the command at the head."""
    return (out / "results.jsonl").read_text().splitlines()[2:]


def test_each_seed_runs_in_its_own_folder_as_it_would_alone(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, alone = tmp_path / "two", tmp_path / "alone"
    command("seed=4", "seeds=2", "jobs=2", f"out={out}")
    said = capsys.readouterr().out
    assert "VICReg on npz, 3 experiences, seeds 4, 5" in said
    assert f"report: {out / 'report.html'}" in said
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        "seed=4",
        "seed=5",
    }
    command("seed=5", f"out={alone}")
    assert numbers(alone) == numbers(out / "seed=5")
    assert numbers(alone) != numbers(out / "seed=4")


def test_more_seeds_are_added_to_those_that_have_ended(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command("seeds=[3]", f"out={out}")
    ended = (out / "seed=3" / "results.jsonl").stat().st_mtime_ns
    capsys.readouterr()
    command("seeds=[3,1]", f"out={out}")
    said = capsys.readouterr()
    assert "seeds 1, 3" in said.out
    assert "seed 1, pnr: after experience 3" in said.out
    assert "seed 3, " not in said.out
    assert (out / "seed=3" / "results.jsonl").stat().st_mtime_ns == ended


@pytest.mark.slow
def test_the_command_that_is_reported_of_a_seed_runs_it_alone(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # a page holds no paths but relative ones
    command("seeds=[7,9]", "jobs=2", "data.path=images.npz", "out=run")
    page = html.unescape(Path("run/report.html").read_text())
    seven, _ = re.findall(r"<pre>(python .*)</pre>", page)
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", shlex.split(seven)[2:])
    main()
    assert "report: run/seed=7/report.html" in capsys.readouterr().out


def test_one_bar_counts_the_epochs_of_all_seeds(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[Any] = []

    class Watched(Bar):
        def close(self) -> None:
            bars.append((self.n, self.total))
            super().close()

    monkeypatch.setattr(parallel, "Bar", Watched)
    command("seeds=2", "jobs=2", f"out={tmp_path / 'run'}")
    epochs = 2 * (1 + 2 * 2)  # the first experience is shared
    assert bars[0] == (epochs, epochs)


def failing(how: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let seed 1 fail in its first training; its process is forked from this one."""
    train = Trainer.train

    def trained(self: Trainer, strategy: SelfSupervised, experience: Any) -> None:
        if self.config.seed == 1:
            how()
        train(self, strategy, experience)

    monkeypatch.setattr(Trainer, "train", trained)


def diverge() -> None:
    raise FloatingPointError("the loss is nan")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("how", "cause"),
    [(diverge, "the loss is nan"), (die, "its process was ended by SIGKILL")],
)
def test_a_seed_that_fails_is_named_and_the_others_go_on(
    how: Callable[[], object],
    cause: str,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    three = ["seeds=3", "jobs=2", "regularizers=[finetune]", f"out={tmp_path / 'run'}"]
    with monkeypatch.context() as patch:
        failing(how, patch)
        with pytest.raises(SystemExit) as exit_:
            command(*three)
    assert exit_.value.code == "error: 1 of 3 seeds failed: 1"
    said = capsys.readouterr()
    assert f"seed 1: error: {cause}" in said.err
    assert "seeds 0, 2" in said.out
    command(*three)
    assert "seeds 0, 1, 2" in capsys.readouterr().out


def test_a_warning_is_given_once_and_not_by_every_seed(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = ["method=mocov2plus", "method.queue_length=64", "regularizers=[finetune]"]
    command(*queue, "seeds=2", "jobs=2", f"out={tmp_path / 'run'}")
    assert capsys.readouterr().err.count("queue_length=64 is 2.0 times the 32") == 1


def test_stopped_seeds_are_saved_and_continued_by_the_same_command(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "run", f"data.path={tmp_path / 'images.npz'}"
    chosen = ["epochs=6", "seeds=2", "jobs=2"]
    arguments = [*RUN, data, "regularizers=[finetune,pnr]", *chosen, f"out={out}"]
    process = commands.Command("experiments", *arguments, group=True)
    folders = [out / "seed=0", out / "seed=1"]
    process.until(lambda: all(map(has_begun_pnr, folders)))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: seeds are told twice
    done = process.ended()
    assert done.returncode == 130
    told = "stopped by SIGINT; what was not saved yet is done again; continue with: "
    assert done.stderr.splitlines()[-1].startswith(told)
    for folder in folders:
        check_free(folder)
    command(*chosen, f"out={out}")
    said = capsys.readouterr().out
    assert re.search(r"seed [01], continuing .*: \d+ of 30 epochs are done", said)
    command("epochs=6", "seed=1", f"out={tmp_path / 'whole'}")
    assert numbers(folders[1]) == numbers(tmp_path / "whole")


def has_begun_pnr(folder: Path) -> bool:
    results = folder / "results.jsonl"
    return results.exists() and '"run": "pnr"' in results.read_text()


@pytest.mark.slow
def test_seeds_end_when_the_command_that_has_started_them_is_killed(
    command: Command, tmp_path: Path
) -> None:
    out, data = tmp_path / "run", f"data.path={tmp_path / 'images.npz'}"
    arguments = [*RUN, data, "regularizers=[pnr]", "epochs=2000", "seeds=2", "jobs=2"]
    process = commands.Command("experiments", *arguments, f"out={out}")
    folders = [out / "seed=0", out / "seed=1"]
    process.until(lambda: all((each / "state.pt").exists() for each in folders))
    os.kill(process.pid, signal.SIGKILL)
    process.ended()
    for _ in range(6000):  # five minutes, for slow machines
        if all(map(is_free, folders)):
            return
        time.sleep(0.05)
    pytest.fail("the seeds go on")


def is_free(folder: Path) -> bool:
    try:
        check_free(folder)
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["seeds=0"], "seeds must be a whole number from 1, or a list such as"),
        (["seeds=two"], "a list such as [10,11], not two"),
        (["seeds=[]"], "seeds=[]: list whole numbers from 0"),
        (["seeds=[1,-2]"], "seeds=[1, -2]: list whole numbers from 0"),
        (["seeds=[1,2,1]"], "seeds=[1, 2, 1] lists 1 twice"),
        (["seeds=2", "jobs=0"], "jobs must be a whole number from 1, not 0"),
        (["seeds=2", "seeds=3"], "seeds=2 and seeds=3: seeds is given twice"),
        (["seeds=0,1"], "seeds are a list, write seeds=[0,1]"),
        (["seeds=[1,2]", "seed=3"], "seeds=[1,2] lists the seeds: leave seed=3 out"),
        (
            ["--multirun", "seeds=2", "seed=0,1"],
            "seeds=2 and --multirun seed=0,1 both say which seeds to run",
        ),
        (["seeds=2", "data.path=nowhere.npz"], "nowhere.npz does not exist"),
        (
            ["seeds=2", "validation=5"],
            "validation=5: write the fraction of each class's",
        ),
        (
            ["seeds=2", "validation=0.99"],
            "validation=0.99 holds out all 16 training images of class",
        ),
    ],
)
def test_bad_input_is_answered_with_one_sentence_and_nothing_is_written(
    arguments: list[str], answer: str, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as exit_:
        command(*arguments, f"out={out}")
    assert str(exit_.value).startswith("error: ")
    assert answer in str(exit_.value)
    assert not out.exists()


def test_a_seed_and_how_many_from_there_on_may_be_given() -> None:
    check_typed_seeds(["seed=5", "seeds=3"])


def test_a_folder_of_one_run_is_not_mixed_with_those_of_several(
    command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command(f"out={out}")
    with pytest.raises(SystemExit, match=r"holds the run of one seed \(seeds=1\)"):
        command("seeds=2", f"out={out}")
    assert read_run(out).seed == 0


@pytest.mark.parametrize(
    ("jobs", "seeds", "at_a_time", "said"),
    [
        ("null", 3, 3, ""),
        ("null", 9, 4, ""),
        ("2", 9, 2, ""),
        ("8", 3, 3, "jobs=8 is more than the 4 physical cores"),
        ("8", 9, 4, "4 seeds run at a time"),
    ],
)
def test_no_more_seeds_run_at_a_time_than_there_are_cores(
    jobs: str,
    seeds: int,
    at_a_time: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seed_list, "physical_cores", lambda: 4)
    found, note = jobs_at_a_time(composed(f"jobs={jobs}"), seeds)
    assert found == at_a_time
    assert said in note


def test_a_gpu_has_one_seed_at_a_time_unless_more_are_asked_for() -> None:
    assert jobs_at_a_time(composed("device=cuda"), 4) == (1, "")
