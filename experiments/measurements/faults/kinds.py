"""Kinds of faults."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import psutil

from avalanche_pnr.runs.files import previous
from experiments.constants import CONFIG, STATE
from experiments.measurements.faults.process import End, Run, until
from experiments.measurements.faults.site import Site
from experiments.processes import launcher


class MissedError(Exception):
    """Raised when a fault has nothing to hit at the moment."""


class Target(NamedTuple):
    """The target of a fault.

    Attributes:
        site: Folder and command of the run.
        run: The running process.
        rng: Random numbers for all that is left to chance.
    """

    site: Site
    run: Run
    rng: Random

    def needs_begun(self) -> None:
        """Refuse to hit a run that has not written anything.

        Raises:
            MissedError: If it has not.
        """
        if not (self.site.out / CONFIG).exists():
            raise MissedError


Injection = Callable[[Target], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: Name of the fault.
        inject: Context manager that injects the fault and, on leaving, repairs what can
            be repaired.
        is_clear: Function that returns whether the run has ended as it should.
        runs: Number of runs in a hundred that are hit by it.
        workers: Number of processes that load images.
        mounted: Whether the run is on a file system of its own.
    """

    name: str
    inject: Injection
    is_clear: Callable[[End], bool]
    runs: int
    workers: int = 0
    mounted: bool = False


def is_killed(end: End) -> bool:
    """Return whether the run was killed."""
    return end.code == -signal.SIGKILL


def is_told(end: End) -> bool:
    """Return whether the run has ended with one sentence that says why."""
    told = end.code == 1 and end.last_line.startswith("error: ")
    return told and "Traceback" not in end.text


def is_stopped(end: End) -> bool:
    """Return whether the run has stopped in order and said how to continue."""
    command = f"; continue with: {launcher()[0]} -m experiments data=folders"
    stopped = end.code in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    return stopped and command in end.last_line and "Traceback" not in end.text


@contextmanager
def killed(target: Target) -> Iterator[None]:
    """Send SIGKILL at any moment."""
    target.run.signal(signal.SIGKILL)
    yield


@contextmanager
def terminated(target: Target) -> Iterator[None]:
    """Send SIGTERM, as schedulers do."""
    target.needs_begun()
    target.run.signal(signal.SIGTERM, group=target.rng.random() < 0.5)
    yield


@contextmanager
def interrupted(target: Target) -> Iterator[None]:
    """Send Ctrl-C to all processes of a run, as terminals do."""
    target.needs_begun()
    target.run.signal(signal.SIGINT, group=True)
    yield


@contextmanager
def full(target: Target) -> Iterator[None]:
    """Fill the disk, until space is made."""
    target.needs_begun()
    ballast = target.site.out / ".ballast"
    with ballast.open("wb", buffering=0) as file:
        while (free := os.statvfs(target.site.out)).f_bavail:
            file.write(bytes(free.f_bavail * free.f_frsize))
    yield
    ballast.unlink()


@contextmanager
def read_only(target: Target) -> Iterator[None]:
    """Make the file system read-only, as after an error of a disk."""
    target.needs_begun()

    def remounted() -> bool:
        try:
            target.site.mount("remount,ro")
        except subprocess.CalledProcessError:  # while a file is being written
            return False
        return True

    if not until(remounted):
        raise MissedError
    yield
    target.site.mount("remount,rw")


@contextmanager
def truncated(target: Target) -> Iterator[None]:
    """Truncate the last state, as a crash of the machine may."""
    state = target.site.out / STATE
    target.run.signal(signal.SIGKILL)
    target.run.ended()
    if not (state.exists() and previous(state).exists()):
        raise MissedError
    os.truncate(state, target.rng.randrange(state.stat().st_size))
    yield


@contextmanager
def vanished(target: Target) -> Iterator[None]:
    """Remove a data file for a while."""
    target.needs_begun()
    image = target.rng.choice(sorted(target.site.images.rglob("*.png")))
    away = image.replace(target.site.images.parent / image.name)
    yield
    away.replace(image)


@contextmanager
def without_worker(target: Target) -> Iterator[None]:
    """Kill a process that loads images, as a kernel short of memory may."""
    workers = psutil.Process(target.run.process.pid).children()
    if not workers:
        raise MissedError
    target.rng.choice(workers).kill()
    yield


@contextmanager
def poisoned(target: Target) -> Iterator[None]:
    """Put a NaN into a batch."""
    target.needs_begun()
    target.run.signal(signal.SIGUSR1)
    yield


FAULTS = (
    Fault("SIGKILL", killed, is_killed, runs=24),
    Fault("SIGKILL, 2 workers", killed, is_killed, runs=6, workers=2),
    Fault("SIGTERM", terminated, is_stopped, runs=8),
    Fault("SIGTERM, 2 workers", terminated, is_stopped, runs=4, workers=2),
    Fault("Ctrl-C", interrupted, is_stopped, runs=8),
    Fault("Ctrl-C, 2 workers", interrupted, is_stopped, runs=4, workers=2),
    Fault("disk full", full, is_told, runs=10, mounted=True),
    Fault("read-only file system", read_only, is_told, runs=6, mounted=True),
    Fault("state truncated", truncated, is_killed, runs=12),
    Fault("data file vanished", vanished, is_told, runs=8),
    Fault("worker killed", without_worker, is_told, runs=6, workers=2),
    Fault("NaN in a batch", poisoned, is_told, runs=4, workers=2),
)
"""Kinds of faults, with a hundred runs in all."""
