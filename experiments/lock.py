"""One run at a time in a folder."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from avalanche_pnr.files import write_whole
from experiments.names import LOCK


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    A lock that a process of this machine left behind when it died is taken over.

    Args:
        out: The folder.

    Raises:
        BlockingIOError: If another run is at work in it, or may be on another machine.
    """
    path = out / LOCK
    own = out / f".{LOCK}.{os.getpid()}"
    write_whole(own, json.dumps(_this_process()).encode())
    try:
        _take(path, own)
    finally:
        own.unlink(missing_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):  # what stays behind will be known as left behind
            path.unlink()


def check_free(out: Path) -> None:
    """Refuse a folder in which another run is at work.

    Raises:
        BlockingIOError: With its process and machine, and what to do.
    """
    path = out / LOCK
    holder = _read(path)
    if holder is None:
        return
    here = socket.gethostname()
    if holder["host"] != here:
        raise BlockingIOError(
            f"{out} is in use by process {holder['process']} on {holder['host']}, which"
            f" cannot be seen from {here}: choose another out=, or remove {path} if "
            "that process is no more"
        )
    if _runs(holder):
        raise BlockingIOError(
            f"{out} is in use by process {holder['process']} on this machine: wait for "
            "it, stop it, or choose another out="
        )


def _take(path: Path, own: Path) -> None:
    """Give a lock that is complete already its name, unless there is another."""
    check_free(path.parent)
    stale = _read(path)
    if stale is not None:
        moved = own.with_suffix(".stale")
        path.replace(moved)
        taken = _read(moved)
        if taken != stale:  # another process was quicker, and this is its lock
            os.link(moved, path)
        moved.unlink()
    try:
        os.link(own, path)
    except FileExistsError:
        check_free(path.parent)
        raise


def _this_process() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "process": process.pid,
        "host": socket.gethostname(),
        "started": process.create_time(),
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        holder: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return holder


def _runs(holder: dict[str, Any]) -> bool:
    """Whether that very process runs; numbers of processes are used again."""
    try:
        process = psutil.Process(holder["process"])
        running = process.status() != psutil.STATUS_ZOMBIE
        return bool(running and process.create_time() == holder["started"])
    except psutil.NoSuchProcess:
        return False
