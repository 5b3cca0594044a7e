"""Signals stop a run where its state is whole, and nothing of it stays behind."""

import gc
import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from avalanche_pnr.runs.files import load_state
from avalanche_pnr.runs.interruption import SIGNALS, InterruptedRunError, Interruption
from tests.experiments.small_runs import TINY, save_images

if sys.platform == "win32":
    pytest.skip("signals of POSIX systems", allow_module_level=True)


def send(*numbers: int) -> None:
    """As another process does; what they stop is stopped within this."""
    for number in numbers:
        os.kill(os.getpid(), number)
    time.sleep(0.01)


def test_a_signal_outside_of_training_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption(), pytest.raises(InterruptedRunError, match="SIGTERM"):
        send(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_in_training_is_noted_until_it_can_stop() -> None:
    with Interruption() as interruption, ExitStack() as training:
        training.enter_context(interruption.noted())
        interruption.stop_if_requested()
        send(signal.SIGINT)
        assert interruption.requested == signal.SIGINT
        with pytest.raises(InterruptedRunError, match="SIGINT; what was not saved"):
            training.close()


def test_it_says_saved_only_of_what_was_saved_after_the_signal() -> None:
    with Interruption() as interruption:
        interruption.saved = True
        with pytest.raises(InterruptedRunError, match="SIGINT; "), interruption.noted():
            send(signal.SIGINT)
    with Interruption() as interruption, ExitStack() as training:
        training.enter_context(interruption.noted())
        send(signal.SIGINT)
        interruption.saved = True
        with pytest.raises(InterruptedRunError, match="SIGINT, and saved"):
            training.close()


def test_a_second_signal_in_training_stops_at_once() -> None:
    with Interruption() as interruption, ExitStack() as training:
        training.enter_context(interruption.noted())
        with pytest.raises(InterruptedRunError):
            send(signal.SIGINT, signal.SIGINT)
        training.pop_all()


def test_a_terminal_may_tell_twice_that_it_is_closed() -> None:
    with Interruption() as interruption, ExitStack() as training:
        training.enter_context(interruption.noted())
        send(signal.SIGHUP, signal.SIGHUP)
        with pytest.raises(InterruptedRunError, match="SIGHUP"):
            training.close()


def test_a_run_that_was_started_to_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            send(signal.SIGHUP)
        assert interruption.requested is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_a_run_whose_terminal_is_closed_saves_where_it_stands(tmp_path: Path) -> None:
    images, out = save_images(tmp_path / "images.npz"), tmp_path / "run"
    choices = [*TINY, "data=npz", f"data.path={images}", f"out={out}"]
    command = [sys.executable, "-m", "experiments", *choices, "stream.n_experiences=3"]
    process, terminal = pty.fork()
    if not process:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # of this process's hook
        os.execv(command[0], [*command, "epochs=1000000"])
    results = out / "results.jsonl"
    while not (results.exists() and '"epoch"' in results.read_text()):
        assert os.waitpid(process, os.WNOHANG) == (0, 0), os.read(terminal, 4096)
        time.sleep(0.1)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    state = load_state(out / "state.pt")
    assert state["training"] == "first experience"
    assert state["strategy"] is not None


def test_what_was_half_made_when_the_run_stopped_is_dropped_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class HalfMade:
        def __init__(self) -> None:
            send(signal.SIGTERM)
            self.workers = 2

        def __del__(self) -> None:
            finalized.append(self.workers)

    finalized: list[int] = []
    printed: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    with pytest.raises(InterruptedRunError, match="SIGTERM") as stop, Interruption():
        HalfMade()
    del stop
    gc.collect()
    assert (finalized, printed) == ([], [])


def callback() -> None:
    """As libraries do that call Python from C."""
    try:
        send(signal.SIGTERM)
    except BaseException as error:
        raise RuntimeError("callback failed") from error


def test_no_library_keeps_it_from_stopping() -> None:
    assert not issubclass(InterruptedRunError, Exception)
    with pytest.raises(InterruptedRunError), Interruption():
        callback()


class SignalledAtStart(multiprocessing.get_context("fork").Process):  # type: ignore
    @staticmethod
    def _Popen(process: Any) -> Any:  # noqa: N802
        send(signal.SIGTERM)
        return multiprocessing.get_context("fork").Process._Popen(process)


def while_a_process_is_started() -> None:
    SignalledAtStart(target=time.sleep, args=(60,), daemon=True).start()


class Finalized:
    def __del__(self) -> None:
        send(signal.SIGTERM)


def wait_after(moment: Callable[[], object]) -> None:
    moment()
    time.sleep(10)  # which the signal ends


class Faulty:
    def __del__(self) -> None:
        raise ValueError


@pytest.mark.parametrize("moment", [while_a_process_is_started, Finalized])
def test_none_is_lost_where_python_drops_errors(
    moment: Callable[[], object], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InterruptedRunError, match="SIGTERM"), Interruption():
        wait_after(moment)
    assert capfd.readouterr().err == ""


def test_other_errors_that_python_drops_are_reported_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda each: reported.append(each))
    hook = sys.unraisablehook
    with Interruption():
        Faulty()
    assert len(reported) == 1
    assert sys.unraisablehook is hook


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_that_load_images_outlive_signals_and_end_with_the_run(
    method: str,
) -> None:
    with Interruption():
        context: Any = multiprocessing.get_context(method)
        process = context.Process(target=time.sleep, args=(60,), daemon=True)
        process.start()
        assert process.pid is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(process.pid, number)
        process.join(0.2)
        assert process.is_alive()
    assert not process.is_alive()


def test_a_terminal_that_is_closed_ends_a_run_unless_that_is_ignored() -> None:
    with pytest.raises(InterruptedRunError, match="SIGHUP"), Interruption():
        send(signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interruption() as interruption:
            send(signal.SIGHUP)
        assert interruption.requested is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_that_is_told_twice_stops_as_if_told_once() -> None:
    with Interruption(patient=True) as interruption, ExitStack() as training:
        training.enter_context(interruption.noted())
        send(signal.SIGINT, signal.SIGTERM)
        with pytest.raises(InterruptedRunError):
            training.close()


@pytest.mark.parametrize("moment", [while_a_process_is_started, Finalized])
def test_one_that_is_told_twice_loses_no_signal_that_python_drops(
    moment: Callable[[], object],
) -> None:
    with pytest.raises(InterruptedRunError), Interruption(patient=True):
        wait_after(moment)


SPAWNED = """
import multiprocessing, runpy, sys
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    runpy.run_module("experiments", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
def test_ctrl_c_saves_where_processes_are_spawned(tmp_path: Path) -> None:
    """As macOS starts them; a terminal sends Ctrl-C to all processes of a run."""
    out, root = tmp_path / "run", Path(__file__).parents[2]
    arguments = ["seeds=1", "workers=1", "epochs=1000", "references=[]"]
    with subprocess.Popen(
        [sys.executable, "-c", SPAWNED, *arguments, f"out={out}"],
        cwd=root,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        # Without references, the first images that are loaded are those of training.
        while not ((out / "state.pt").exists() and loaders_of(process.pid)):
            assert process.poll() is None
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 128 + signal.SIGINT
    assert "stopped by SIGINT, and saved; continue with: " in errors
    assert load_state(out / "state.pt")["strategy"] is not None


def loaders_of(process: int) -> list[psutil.Process]:
    """Processes that a run has started to load its images."""
    children = psutil.Process(process).children()
    return [each for each in children if "spawn_main" in " ".join(each.cmdline())]
