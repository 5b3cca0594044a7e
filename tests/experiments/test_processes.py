"""The main job on several processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from avalanche_pnr.distributed.collectives import broadcast_from_rank0, join, rank
from avalanche_pnr.runs.interruption import InterruptedRunError
from experiments.continuing import is_finished
from experiments.processes import agree_on, join_processes, launcher, speaker
from experiments.results import Run, read_run
from experiments.trainer import Trainer
from tests.distributed.processes import together
from tests.experiments.small_runs import TINY, composed, finished, prepared, save_images
from tests.experiments.test_continuing import PNR, REPLAY

ROOT = Path(__file__).parents[2]
RUN = [
    "method=mocov2plus",
    "method.queue_length=32",
    f"plugins.pnr=[{PNR},{REPLAY}]",
    "epochs=2",
    "stream.n_experiences=3",
    "data=npz",
    "references=[random backbone]",
    "regularizers=[finetune,pnr]",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three experiences of 32 images, replay and PNR."""
    path = save_images(tmp_path_factory.mktemp("data") / "images.npz")
    return [*RUN, f"data.path={path}"]


def names_and_keys(run: Run) -> list[Any]:
    """What a run has written, without the numbers."""
    return [(record["run"], sorted(record)) for record in run.records]


@pytest.mark.slow
def test_one_process_writes_what_all_have_found(tmp_path: Path, run: list[str]) -> None:
    alone = finished(tmp_path / "alone", *run)

    def train() -> None:
        prepared(tmp_path / "several", *run).run()

    assert together(2, train) == [None, None]
    several = read_run(tmp_path / "several")
    assert names_and_keys(several) == names_and_keys(alone)
    files = [
        sorted(p.name for p in (tmp_path / n).iterdir()) for n in ("alone", "several")
    ]
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_and_others_go_on(
    tmp_path: Path, run: list[str]
) -> None:
    """Begun by two processes, stopped, continued by three, ended by one."""
    out = tmp_path / "run"

    def stop_after(experience: int) -> str:
        original = Trainer.strategy

        def signalled(self: Trainer, *args: Any, **kwargs: Any) -> Any:
            strategy = original(self, *args, **kwargs)
            pause = strategy.checkpoint_callback

            def stop(strategy: Any) -> None:
                if rank() == 1 and strategy.clock.train_exp_counter == experience:
                    self.journal.interruption._note(signal.SIGTERM, None)
                pause(strategy)

            strategy.checkpoint_callback = stop
            return strategy

        Trainer.strategy = signalled  # type: ignore[method-assign]
        with pytest.raises(InterruptedRunError, match="SIGTERM"):
            prepared(out, *run).run()
        return "stopped"

    assert together(2, stop_after, 0) == ["stopped"] * 2
    assert not is_finished(out, composed(*run, f"out={out}"))
    assert together(3, stop_after, 1) == ["stopped"] * 3
    whole = finished(tmp_path / "whole", *run)
    assert names_and_keys(finished(out, *run)) == names_and_keys(whole)


def test_different_configurations_are_refused(run: list[str]) -> None:
    def agree() -> None:
        agree_on(composed(*run, f"seed={rank()}", f"out=folder{rank()}"))

    for error in together(2, agree):
        assert isinstance(error, ValueError)
        assert "seed is 0 in process 0 and 1 in process 1" in str(error)
        assert "out" not in str(error)


def test_all_write_to_one_folder(run: list[str]) -> None:
    def agree() -> str:
        config = composed(*run, f"out=folder{rank()}")
        agree_on(config)
        return str(config.out)

    assert together(2, agree) == ["folder0"] * 2


def test_what_the_first_process_is_refused_is_told_by_all() -> None:
    def read() -> None:
        broadcast_from_rank0(lambda: Path(f"/no file of {rank()}").read_text())

    for error in together(2, read):
        assert isinstance(error, FileNotFoundError)
        assert error.filename == "/no file of 0"


def torchrun(*arguments: str) -> subprocess.Popen[str]:
    """The command, with two processes."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node=2",
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def worker_of(out: Path, epochs: float = 120) -> int:
    """The process that is at work in a folder, when it has saved a state."""
    import json

    for _ in range(int(epochs * 10)):
        if (out / "state.pt").exists() and "Loss" in (
            out / "results.jsonl"
        ).read_text():
            return int(json.loads((out / "run.lock").read_text())["process"])
        time.sleep(0.1)
    raise TimeoutError("no state was saved")


@pytest.mark.slow
def test_a_killed_worker_is_restarted_and_every_experience_trained(
    tmp_path: Path, run: list[str]
) -> None:
    out = tmp_path / "run"
    arguments = [*TINY, *run, "epochs=8", "save_every_minutes=0", f"out={out}"]
    process = torchrun("--max-restarts=1", "-m", "experiments", *arguments)
    os.kill(worker_of(out), signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert f"continuing {out}" in output
    whole = finished(tmp_path / "whole", *run, "epochs=8")
    assert names_and_keys(read_run(out)) == names_and_keys(whole)


def test_a_restart_needs_a_folder(
    monkeypatch: pytest.MonkeyPatch, run: list[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "1")
    monkeypatch.setattr(sys, "argv", ["experiments", "epochs=1"])
    with pytest.raises(ValueError, match="torchrun --max-restarts needs out="):
        join_processes(composed(*run))


def test_a_gpu_for_all_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    with pytest.raises(ValueError, match="device=cuda:0 would be shared"):
        join("cuda:0")


def test_errors_say_which_process_they_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert speaker() == ""
    monkeypatch.setenv("RANK", "3")
    assert speaker() == "process 3: "


def test_a_run_is_continued_by_the_python_that_it_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert launcher() == [str(python)]
    monkeypatch.chdir(tmp_path)
    assert launcher() == [".venv/bin/python"]
    monkeypatch.setenv("PATH", str(python.parent))
    assert launcher() == ["python"]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=4"]
    assert launcher() == ["python", *torchrun]
