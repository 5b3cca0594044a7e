"""Progress: a bar on a terminal, a line a minute in a file."""

import gc
import io
import multiprocessing
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from avalanche_pnr.runs.progress import Bar


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds, as long as nobody advances them the same."""

    now = 0.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("tqdm.std.time", clock.time)
    return clock


def work(bar: Bar, clock: Clock, steps: int, seconds: float) -> None:
    for _ in range(steps):
        clock.now += seconds
        bar.update()


def test_a_file_gets_a_line_a_minute_and_nothing_else(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bar(100, "epoch", delay=1) as bar:
        bar.set_description("pnr 2/5")
        bar.set_postfix_str("loss 0.5", refresh=False)
        work(bar, clock, steps=50, seconds=4)
        bar.write("pnr: after experience 2")
    written = capsys.readouterr()
    assert not written.err
    assert written.out.splitlines() == [
        "pnr 2/5: epoch 15 of 100, loss 0.5, 6 minutes left",
        "pnr 2/5: epoch 30 of 100, loss 0.5, 5 minutes left",
        "pnr 2/5: epoch 45 of 100, loss 0.5, 4 minutes left",
        "pnr: after experience 2",
    ]


def test_work_of_less_than_a_minute_writes_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bar(59, "epoch") as bar:
        work(bar, clock, steps=59, seconds=1)
    assert capsys.readouterr() == ("", "")
    assert bar.n == 59


def test_the_line_of_work_that_is_not_described(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bar(0, "epoch") as bar:
        clock.now = 100
        bar.refresh()  # nobody knows yet how many there are
        assert capsys.readouterr() == ("", "")
        bar.total = 10
        bar.refresh()
    assert capsys.readouterr() == ("epoch 0 of 10\n", "")


def test_a_terminal_gets_a_bar_that_goes_away(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(sys, "stdout", file := io.StringIO())
    with Bar(100, "epoch", desc="pnr") as bar:
        work(bar, clock, steps=50, seconds=4)
    assert "pnr:  50%" in terminal.getvalue()
    assert "50/100 [03:20<03:20" in terminal.getvalue()
    # It moves to its line first if other tests have left bars open.
    drawn = [each for each in re.split(r"[\r\n]|\x1b\[A", terminal.getvalue()) if each]
    assert not drawn[-1].strip()
    assert not file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_what_was_done_before_says_nothing_about_the_speed(
    terminal: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    with Bar(100, "epoch") as bar:
        assert bar.seconds_left is None
        bar.skip(80)
        assert (bar.n, bar.seconds_left) == (80, None)
        work(bar, clock, steps=10, seconds=6)
        assert bar.seconds_left == pytest.approx(60)
        assert "90 of 100, 1 minutes left" in bar.line()
        assert bar.format_dict["rate"] == pytest.approx(1 / 6)


def test_lines_go_where_they_are_said_to(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with Bar(10, "step", desc="experience 1", initial=4, say=said.append) as bar:
        work(bar, clock, steps=1, seconds=60)
    assert said == ["experience 1: step 5 of 10, 5 minutes left"]
    assert capsys.readouterr() == ("", "")


def test_a_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Buffered(io.StringIO):
        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    monkeypatch.setattr(sys, "stdout", file := Buffered())
    Bar.write("a line")
    assert file.flushed == "a line\n"


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_it_has_no_thread(
    stream: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(tqdm, "monitor", None)
    before = threading.active_count()
    with Bar(10, "epoch"):
        assert threading.active_count() == before


def test_a_bar_that_was_forgotten_leaves_the_lock_of_all_bars_free(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(20):
        Bar(10, "epoch").update()
        gc.collect()
    free, lock = list[bool](), Bar.get_lock()

    def take() -> None:
        free.append(lock.acquire(blocking=False))
        if free == [True]:
            lock.release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    assert free == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
def test_a_process_killed_while_it_draws_does_not_stop_the_others() -> None:
    fork = multiprocessing.get_context("fork")
    drawing = fork.Event()

    def draw() -> None:
        with Bar.get_lock():
            drawing.set()
            time.sleep(60)

    process = fork.Process(target=draw)
    process.start()
    assert drawing.wait(60)
    process.kill()
    process.join()
    ended = threading.Thread(target=lambda: Bar(10, "epoch").close(), daemon=True)
    ended.start()
    ended.join(10)
    assert not ended.is_alive()
