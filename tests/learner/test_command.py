"""The command: real processes, stopped and continued, and what is typed wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from avalanche_pnr.learner.command import main
from tests.learner.conftest import SETTINGS, TRAINING, command, write_digits

RUN = [sys.executable, "-m", "avalanche_pnr"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*RUN, *arguments], capture_output=True, text=True)


def learn(data: Path, learner: Path, *more: str, epochs: int = 2) -> list[str]:
    options = {**SETTINGS, **TRAINING, "epochs": epochs}
    return ["learn", f"data={data}", f"learner={learner}", *command(options), *more]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lern"], "there is no command=lern; did you mean learn?"),
        (["learn", "dta=x"], "there is no option 'dta'; did you mean data?"),
        (["learn", "data=x"], "learn needs learner=: folder of the learner"),
        (["learn", "learner=x"], "learn needs data=: folder of images"),
        (["learn", "data"], "'data' is not an option: write name=value"),
        (["learn", "epochs=1", "epochs=2"], "epochs= is given twice"),
        (["learn", "epochs=many"], "epochs=many is not a whole number"),
        (["learn", "dry=perhaps"], "dry=perhaps is neither true nor false"),
        (["embed", "learner=x", "data=y", "out=f.csv"], "data=y does not exist"),
        (["info", "learner=nowhere"], "learner=nowhere holds no learner: make one"),
    ],
)
def test_what_is_typed_wrong_is_named(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert sentence in str(stop.value.code)
    assert not list(tmp_path.iterdir())


def test_help_names_every_command_and_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--help"])
    text = capsys.readouterr().out
    for name in ("learn", "embed", "judge", "export", "report", "info", "undo"):
        assert name in text
    main(["learn", "--help"])
    assert "seed=0 " in capsys.readouterr().out


def test_experiences_in_processes_of_their_own(
    photos: list[Path], tmp_path: Path
) -> None:
    learner = tmp_path / "learner"
    for folder in photos:
        done = run(*learn(folder, learner))
        assert done.returncode == 0, done.stderr
    assert (
        run(
            "embed", f"data={photos[0]}", f"learner={learner}", f"out={tmp_path}/f.csv"
        ).returncode
        == 0
    )
    assert '"number": 3' in run("info", f"learner={learner}").stdout
    assert run("undo", f"learner={learner}").returncode == 0


def test_stopped_and_killed_it_continues_to_the_same_bits(tmp_path: Path) -> None:
    first = write_digits(tmp_path / "first", {0, 1})
    second = write_digits(tmp_path / "second", {2, 3}, 80)
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    for learner in (straight, stopped):
        assert run(*learn(first, learner)).returncode == 0
    more = learn(second, straight, epochs=30)
    assert run(*more).returncode == 0
    again = learn(second, stopped, "save_every_minutes=0", epochs=30)
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(
            [*RUN, *again], stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL
        )
        state = stopped / "current" / "state.pt"
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None:
            if state.exists() and state.stat().st_mtime_ns > before:
                os.kill(process.pid, number)
                break
            time.sleep(0.01)
        _, said = process.communicate()
        if number == signal.SIGKILL:
            continue
        assert process.returncode in (0, 128 + number), said
        if process.returncode:
            assert "continue with: avalanche-pnr learn" in said
    assert run(*again).returncode == 0 or "were learned" in run(*again).stderr
    weights = "experiences/002/backbone.safetensors"
    assert (straight / weights).read_bytes() == (stopped / weights).read_bytes()


def test_changed_images_are_refused_while_an_experience_is_interrupted(
    photos: list[Path], tmp_path: Path
) -> None:
    learner = tmp_path / "learner"
    process = subprocess.Popen(
        [*RUN, *learn(photos[0], learner, "save_every_minutes=0", epochs=200)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    while not (learner / "current" / "state.pt").exists():
        assert process.poll() is None
        time.sleep(0.02)
    blocked = run(*learn(photos[1], learner, epochs=200))
    assert blocked.returncode == 1
    assert "in use" in blocked.stderr
    process.send_signal(signal.SIGTERM)
    process.communicate()
    next(photos[0].rglob("*.png")).unlink()
    changed = run(*learn(photos[0], learner, epochs=200))
    assert changed.returncode == 1
    assert "1 of 40 are gone, 0 others are there" in changed.stderr
    assert run("undo", f"learner={learner}").returncode == 0
    assert run(*learn(photos[0], learner)).returncode == 0
