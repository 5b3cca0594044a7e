"""One run at a time in a folder."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avalanche_pnr.runs.system_lock import NoLocksError, SystemLock

LOCK = "run.lock"
"""Name of the file that says which process is at work in a run's folder."""

Holder = dict[str, Any]
"""The ``process`` and ``host`` of a run at work."""

_LONGEST = 4096
"""Largest size in bytes of a file that may be a lock."""


@contextmanager
def locked(out: Path, option: str = "out") -> Iterator[None]:
    """Keep other runs out of a folder.

    The operating system's lock decides between processes of one machine. A file beside
    it names the holder; one of another machine, and any on a file system without locks,
    is respected as long as it exists.

    Args:
        out: The folder.
        option: Setting of the command line that chooses another folder.

    Raises:
        BlockingIOError: If another run is at work in it, or may be on another machine.
    """
    system, path, own = _system_lock(out), out / LOCK, _this_process()
    locks = _acquired(system, out, option)
    try:
        _claim(out, own, locks, option)
        try:
            yield
        finally:
            if own["process"] == os.getpid() and _is(path, own):
                path.unlink()
    finally:
        system.release()


def check_free(out: Path) -> None:
    """Refuse a folder in which another run is at work; nothing is written.

    Raises:
        BlockingIOError: If one is, with its process and machine, and what to do.
    """
    holder = _read(out / LOCK)
    if holder is None:
        return
    try:
        locks, held = True, _system_lock(out).is_held()
    except NoLocksError:
        locks, held = False, True
    if held or holder["host"] != socket.gethostname():
        raise _refusal(out, holder, locks)


def _system_lock(out: Path) -> SystemLock:
    return SystemLock(out / f".{LOCK}")


def _acquired(system: SystemLock, out: Path, option: str) -> bool:
    """Return whether the file system has locks; if so, take this one."""
    try:
        if system.acquire():
            return True
    except NoLocksError:
        return False
    raise _refusal(out, _read(out / LOCK, option), option=option)


def _claim(out: Path, own: Holder, locks: bool, option: str) -> None:
    """Write the lock file, unless another run may be at work."""
    path, holder = out / LOCK, _read(out / LOCK, option)
    if holder is not None and locks and holder["host"] == own["host"]:
        path.unlink()  # of a process that has lost its lock, and is no more
    try:
        with path.open("x") as file:
            file.write(json.dumps(own))
    except FileExistsError:
        raise _refusal(out, _read(path, option), locks, option) from None
    except OSError:
        path.unlink(missing_ok=True)  # as full disks leave it
        raise


def _refusal(
    out: Path, holder: Holder | None, locks: bool = True, option: str = "out"
) -> BlockingIOError:
    path, here = out / LOCK, socket.gethostname()
    if holder is None:  # about to write who it is
        who, way_out = "another process", f"wait for it, or choose another {option}="
    elif holder["host"] != here:
        who = f"process {holder['process']} on {holder['host']}, which cannot be seen"
        who += f" from {here}"
        way_out = (
            f"choose another {option}=, or remove {path} if that process no longer runs"
        )
    elif locks or _runs(holder):
        who = f"process {holder['process']} on this machine"
        way_out = f"wait for it, stop it, or choose another {option}="
    else:
        who = (
            f"process {holder['process']} of this machine, which no longer runs, as far"
        )
        who += " as can be told on a file system without locks"
        way_out = f"remove {path} to continue"
    return BlockingIOError(f"{out} is in use by {who}: {way_out}")


def _this_process() -> Holder:
    return {"process": os.getpid(), "host": socket.gethostname()}


def _read(path: Path, option: str = "out") -> Holder | None:
    """Read the holder of a lock file; ``None`` if there is none.

    Raises:
        BlockingIOError: If the file does not say.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST)
    except FileNotFoundError:
        return None
    try:
        holder = json.loads(content)
        if type(holder["process"]) is int and type(holder["host"]) is str:
            return {name: holder[name] for name in ("process", "host")}
        reason = "is not the lock of a run"
    except (ValueError, LookupError, TypeError, RecursionError):
        reason = "is not the lock of a run" if content.strip() else "is empty"
    raise BlockingIOError(
        f"{path} {reason}, so that the run in {path.parent} is unknown: "
        f"remove it if none is running, or choose another {option}="
    )


def _is(path: Path, own: Holder) -> bool:
    try:
        return _read(path) == own
    except BlockingIOError:
        return False


def _runs(holder: Holder) -> bool:
    """Return whether a process of the holder's number runs, that one or another."""
    import psutil

    return bool(psutil.pid_exists(holder["process"]))
