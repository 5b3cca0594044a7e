"""The command: real processes, stopped and continued, and what is typed wrong."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from avalanche_pnr.learner.command import main
from tests import commands
from tests.learner.conftest import SETTINGS, TRAINING, command, write_digits

KILLS = int(os.environ.get("LEARNER_KILLS", "2")) // 2
"""In each of two experiences."""


def run(*arguments: str) -> commands.Ended:
    """The command, in a process of its own."""
    return commands.run("avalanche_pnr", *arguments)


def run_anew(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as a user starts it, in a process that shares nothing with others."""
    typed = [sys.executable, "-m", "avalanche_pnr", *arguments]
    return subprocess.run(typed, capture_output=True, text=True)


def learn(data: Path, learner: Path, *more: str, epochs: int = 2) -> list[str]:
    options = {**SETTINGS, **TRAINING, "epochs": epochs}
    return ["learn", f"data={data}", f"learner={learner}", *command(options), *more]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lern"], "there is no command=lern; did you mean learn?"),
        (["learn", "dta=x"], "learn has no option 'dta'; did you mean data?"),
        (["embed", "epoch=3"], "embed has no option 'epoch': give epochs to learn"),
        (["undo", "device=cpu"], "give device to learn or embed or judge"),
        (["embed", "backbone.width=8"], "give backbone.NAME to learn"),
        (["learn", "data=x"], "learn needs learner=: folder of the learner"),
        (["learn", "learner=x"], "learn needs data=: folder of images"),
        (["judge", "learner=x"], "judge needs data=: folder of labelled images"),
        (["judge", "learner=x", "data=.", "csv=y"], "from data= or from csv=, not"),
        (
            ["learn", "learner=x", "forget_images=true", "dry=true"],
            "dry= is an option of learning: name images with data=, or write",
        ),
        (["learn", "data"], "'data' is not an option: write name=value"),
        (["learn", "epochs=1", "epochs=2"], "epochs= is given twice"),
        (["learn", "epochs=many"], "epochs=many is not a whole number"),
        (["learn", "dry=perhaps"], "dry=perhaps is neither true nor false"),
        (["embed", "learner=x", "data=y", "out=f.csv"], "learner=x holds no learner"),
        (["info", "learner=nowhere"], "learner=nowhere holds no learner: make one"),
        (["learn", "learner=x", "data=.", "method=vicregg"], "did you mean vicreg?"),
        (["learn", "learner=x", "data=.", "keep=first"], "there is no keep=first"),
        (["learn", "learner=x", "data=.", "optimizer=adam"], "did you mean adamw?"),
        (["learn", "xyzzy=1"], "learn has no option 'xyzzy'; the nearest are "),
        (["learn", "learner=x", "data=.", "base_lr=0"], "base_lr=0.0 must be above 0"),
        (["learn", "learner=x", "data=.", "base_lr=nan"], "must be above 0"),
        (["learn", "learner=x", "data=.", "base_lr=inf"], "must be at most 42949672"),
        (["learn", "learner=x", "data=.", "seed=-1"], "seed=-1 must be at least 0"),
        (["learn", "learner=x", "data=.", f"seed={10**20}"], "must be at most 429496"),
        (["learn", "learner=x", "data=.", "epochs=1000001"], "must be at most 1000000"),
        (["learn", "learner=x", "data=.", "device=gpu"], "device=gpu cannot be used"),
        (["learn", "learner=x", "data=.", "device=meta"], "device=cpu always can"),
        (["learn", "learner=x", "data=.", "epochs=0"], "epochs=0 must be at least 1"),
        (["learn", "learner=x", "data=."], "there are no images in . or below"),
        (["learn", "learner=x", "data=a{0..1}.tar"], "there are no shards a0.tar, a1"),
        (
            ["learn", "learner=x", "data._target_=torchvision.datasets.CIFAR11"],
            "data._target_=torchvision.datasets.CIFAR11 cannot be imported",
        ),
        (
            [
                "learn",
                "learner=x",
                "data._target_=avalanche_pnr.load_npz",
                "data.pth=y",
            ],
            "there is no data.pth=; did you mean data.path?",
        ),
        (["learn", "learner=x", "data=y", "data.root=z"], "a folder or file is data="),
        (
            ["learn", "learner=x", "data._target_=os.system", "data.command=touch z"],
            "data._target_=os.system is of Python's own library and is not called",
        ),
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


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["image_size=1"], "makes images 8 times smaller"),
        (["backbone=os.system", "backbone.command=touch z"], "is not called"),
        (["backbone=.."], "backbone=.. cannot be imported"),
        (["backbone=timm/resnet10z"], "timm has no resnet10z"),
        (["batch_size=41"], "40 new images, and a step takes 41: add images, or wri"),
    ],
)
def test_what_does_not_fit_is_named_before_a_learner_is_made(
    options: list[str], sentence: str, photos: list[Path], tmp_path: Path
) -> None:
    if "timm" in options[0]:
        pytest.importorskip("timm")
    learner = tmp_path / "learner"
    arguments = ["learn", f"data={photos[0]}", f"learner={learner}", "image_size=8"]
    names = {each.partition("=")[0] for each in options}
    arguments = [a for a in arguments if a.partition("=")[0] not in names]
    if "backbone" not in names:
        arguments.append("backbone=resnet_small")
    with pytest.raises(SystemExit) as stop:
        main([*arguments, *options])
    assert sentence in str(stop.value.code)
    assert not (learner / "learner.json").exists()
    assert not Path("z").exists()


def test_warnings_are_one_line_each(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos[0] / "notes.txt").touch()
    arguments = [f"data={photos[0]}", f"learner={tmp_path / 'learner'}", "dry=true"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        main(["learn", *arguments, *command({**SETTINGS, **TRAINING})])
    said = capsys.readouterr().err.splitlines()
    (line,) = (each for each in said if "warning" in each.lower())
    assert line.startswith("warning: ")
    assert line.endswith("reads here: 1 .txt")


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
    for folder, start in zip(photos, (run_anew, run, run), strict=True):
        done = start(*learn(folder, learner, epochs=1))
        assert done.returncode == 0, done.stderr
    assert (
        run(
            "embed", f"data={photos[0]}", f"learner={learner}", f"out={tmp_path}/f.csv"
        ).returncode
        == 0
    )
    text = run("info", f"learner={learner}").stdout
    assert "experience 3: 40 images of" in text
    assert "1 epoch, 2 steps of 16 images" in text
    info = json.loads(run("info", f"learner={learner}", "json=true").stdout)
    assert [each["number"] for each in info["experiences"]] == [1, 2, 3]
    assert run("undo", f"learner={learner}").returncode == 0


def test_stopped_and_killed_it_continues_to_the_same_bits(tmp_path: Path) -> None:
    first = write_digits(tmp_path / "first images", {0, 1})
    second = write_digits(tmp_path / "second images", {2, 3}, 80)
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    assert run(*learn(first, straight)).returncode == 0
    shutil.copytree(straight, stopped)
    assert run(*learn(second, straight, epochs=5)).returncode == 0
    more = learn(second, stopped, "save_every_minutes=0", epochs=5)
    state, saved = stopped / "current" / "state.pt", set[int]()
    # 80 images, batches of 16: an epoch has 5 iterations and 6 pauses. What the process
    # that is killed did after its last epoch is lost, the others lose nothing.
    for number, pause in (
        (signal.SIGTERM, 3),
        (signal.SIGKILL, 8),
        (signal.SIGINT, 9),
        (signal.SIGHUP, 4),
    ):
        at = str(int(number)), str(pause)
        ended = commands.run("tests.learner.signalled", *at, *more)
        status, said = ended.returncode, ended.stderr
        assert status == (-number if number == signal.SIGKILL else 128 + number), said
        assert state.stat().st_mtime_ns not in saved
        saved.add(state.stat().st_mtime_ns)
        if number != signal.SIGKILL:
            assert f"stopped by {number.name}, and saved; continue with:" in said
            assert f"'data={second}'" in said  # as a shell takes it
    assert run_anew(*more).returncode == 0
    weights = "experiences/002/backbone.safetensors"
    assert (straight / weights).read_bytes() == (stopped / weights).read_bytes()
    assert not (stopped / "current").exists()


def kill_at_random(more: list[str], moments: list[float]) -> None:
    """Run a command and kill it after some seconds, again and again until it ends."""
    for seconds in moments:
        process = commands.Command("avalanche_pnr", *more)
        if process.ends_within(seconds):
            return
        os.kill(process.pid, signal.SIGKILL)
        process.ended()


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost(tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    options = ["memory=12", "save_every_minutes=0", "keep=last"]
    moments = random.Random(0)
    for k in range(2):
        data = write_digits(tmp_path / str(k), {2 * k, 2 * k + 1}, 80)
        begun = time.monotonic()
        assert run(*learn(data, straight, *options, epochs=15)).returncode == 0
        took = time.monotonic() - begun
        more = learn(data, killed, *options, epochs=15)
        kill_at_random(more, [moments.uniform(0.4, 1.1) * took for _ in range(KILLS)])
        done = run(*more)
        assert done.returncode == 0 or "all 80 images were learned" in done.stderr
        weights = f"experiences/{k + 1:03d}/backbone.safetensors"
        assert (straight / weights).read_bytes() == (killed / weights).read_bytes()
    assert not (killed / "current").exists()
    assert sorted(each.name for each in killed.glob("experiences/[0-9]*")) == [
        "000",
        "001",
        "002",
    ]


def test_changed_images_are_refused_while_an_experience_is_interrupted(
    photos: list[Path], tmp_path: Path
) -> None:
    learner = tmp_path / "learner"
    process = commands.Command(
        "avalanche_pnr", *learn(photos[0], learner, "save_every_minutes=0", epochs=200)
    )
    process.until((learner / "current" / "state.pt").exists)
    blocked = run(*learn(photos[1], learner, epochs=200))
    assert blocked.returncode == 1
    assert "in use" in blocked.stderr
    assert "choose another learner=" in blocked.stderr
    os.kill(process.pid, signal.SIGTERM)
    process.ended()
    other = run(*learn(photos[1], learner, epochs=200))
    assert other.returncode == 1
    assert f"finish it with those, data={photos[0]}, or undo it" in other.stderr
    next(photos[0].rglob("*.png")).unlink()
    changed = run(*learn(photos[0], learner, epochs=200))
    assert changed.returncode == 1
    assert "1 of 40 are gone, 0 others are there" in changed.stderr
    assert run("undo", f"learner={learner}").returncode == 0
    assert run(*learn(photos[0], learner)).returncode == 0
