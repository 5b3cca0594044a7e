"""One run is at work in a folder: never two, and never none because of a dead one."""

import errno
import json
import multiprocessing
import os
import signal
import socket
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from avalanche_pnr.runs import system_lock
from avalanche_pnr.runs.lock import check_free, locked

fork = multiprocessing.get_context("fork")
DEAD = {"process": 2**22 + 1, "host": socket.gethostname()}
ELSEWHERE = {"process": 7, "host": "elsewhere"}


def write_lock(folder: Path, holder: Any) -> Path:
    path = folder / "run.lock"
    path.write_text(json.dumps(holder))
    return path


def enter(folder: Path, start: Barrier, entered: Path) -> None:
    """Go in with the others, and leave when all have tried."""
    start.wait()
    try:
        with locked(folder):
            (entered / str(os.getpid())).touch()
            start.wait()
    except BlockingIOError:
        start.wait()


@pytest.mark.parametrize("left", [None, DEAD])
def test_of_processes_that_go_in_together_one_does(left: Any, tmp_path: Path) -> None:
    for number in range(5):
        folder, entered = tmp_path / str(number), tmp_path / f"entered {number}"
        folder.mkdir()
        entered.mkdir()
        if left is not None:
            write_lock(folder, left)
        # One that dies on the way breaks it, or the others would wait for ever.
        start = fork.Barrier(6, timeout=60)
        processes = [
            fork.Process(target=enter, args=(folder, start, entered)) for _ in range(6)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 6
        assert len(list(entered.iterdir())) == 1
        assert list(folder.iterdir()) == []


def test_the_holder_is_named_and_nothing_stays_behind(tmp_path: Path) -> None:
    with locked(tmp_path):
        told = f"in use by process {os.getpid()} on this machine: wait for it, stop it"
        with pytest.raises(BlockingIOError, match=told), locked(tmp_path):
            pass
        with pytest.raises(BlockingIOError, match=told):
            check_free(tmp_path)
    check_free(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("process", [2**22 + 1, os.getpid()], ids=["none", "own"])
def test_a_lock_that_was_left_behind_is_taken_over(
    process: int, tmp_path: Path
) -> None:
    """Numbers of processes are used again, so that they decide nothing."""
    path = write_lock(tmp_path, {**DEAD, "process": process, "started": 1.0})
    check_free(tmp_path)
    with locked(tmp_path):
        assert json.loads(path.read_text())["process"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def hold(folder: Path, inside: Any, workers: bool) -> None:
    with locked(folder):
        if workers:
            fork.Process(target=time.sleep, args=(60,)).start()
        inside.set()
        time.sleep(60)


@pytest.mark.parametrize("workers", [False, True])
def test_a_killed_run_holds_nothing_nor_do_its_workers(
    workers: bool, tmp_path: Path
) -> None:
    inside = fork.Event()
    process = fork.Process(target=hold, args=(tmp_path, inside, workers))
    process.start()
    assert inside.wait(60)
    assert process.pid is not None
    with pytest.raises(BlockingIOError, match=f"in use by process {process.pid}"):
        check_free(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    check_free(tmp_path)
    with locked(tmp_path):
        pass


def test_a_process_that_was_forked_gives_nothing_back(tmp_path: Path) -> None:
    holding = locked(tmp_path)
    holding.__enter__()
    child = os.fork()
    if not child:
        holding.__exit__(None, None, None)
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(BlockingIOError, match="in use"), locked(tmp_path):
        pass
    holding.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_another_machine_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = write_lock(tmp_path, ELSEWHERE)
    remedy = r"process 7 on elsewhere.*remove .*run.lock if that process no longer runs"
    with pytest.raises(BlockingIOError, match=remedy), locked(tmp_path):
        pass
    with pytest.raises(BlockingIOError, match=remedy):
        check_free(tmp_path)
    assert json.loads(path.read_text()) == ELSEWHERE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"4711", "is not the lock of a run"),
        (b'{"process": "7"}', "is not the lock of a run"),
        (b'{"process": 7, "host": 7}', "is not the lock of a run"),
        (b"\xff\xfe", "is not the lock of a run"),
        (b"[" * 100_000, "is not the lock of a run"),
        (b'{"process": ' + b"1" * 5000, "is not the lock of a run"),
    ],
)
def test_a_file_that_does_not_say_who_is_at_work_is_refused_and_kept(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.lock"
    path.write_bytes(content)
    for entering in (locked(tmp_path).__enter__, lambda: check_free(tmp_path)):
        with pytest.raises(BlockingIOError, match=f"run.lock {reason}, so that .*: re"):
            entering()
    assert path.read_bytes() == content


def test_another_lock_is_never_removed(tmp_path: Path) -> None:
    with locked(tmp_path):
        path = write_lock(tmp_path, ELSEWHERE)  # after someone has removed ours
    assert json.loads(path.read_text()) == ELSEWHERE


def test_a_full_disk_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("avalanche_pnr.runs.lock.json.dumps", full)
    with pytest.raises(OSError, match="no space left"), locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As some network drives are."""

    def refuse(file: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(system_lock, "_lock", refuse)


@pytest.mark.usefixtures("without_locks")
def test_without_locks_of_the_file_system_the_file_alone_decides(
    tmp_path: Path,
) -> None:
    with locked(tmp_path):
        with pytest.raises(BlockingIOError, match="wait for it"), locked(tmp_path):
            pass
        with pytest.raises(BlockingIOError, match="wait for it"):
            check_free(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [".run.lock"]
    path = write_lock(tmp_path, DEAD)
    told = r"no longer runs, as far as can be told .*: remove .*run.lock to continue"
    with pytest.raises(BlockingIOError, match=told), locked(tmp_path):
        pass
    assert json.loads(path.read_text()) == DEAD


def test_file_systems_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links")

    monkeypatch.setattr(os, "link", refuse)
    with locked(tmp_path):
        assert (tmp_path / "run.lock").is_file()
