"""What happens to runs."""

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
    """Raised when there is nothing to strike at the moment."""


class Target(NamedTuple):
    """What is struck.

    Attributes:
        site: Where the run takes place.
        run: The run, running.
        rng: Of whatever is left to chance.
    """

    site: Site
    run: Run
    rng: Random

    def needs_begun(self) -> None:
        """Refuse to strike a run that has not written anything.

        Raises:
            MissedError: If so.
        """
        if not (self.site.out / CONFIG).exists():
            raise MissedError


Strike = Callable[[Target], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: What it is called.
        strike: What happens to a run; leaving it makes good what can be made good.
        is_clear: Whether the run has ended as it should, struck by it.
        runs: How many of a hundred runs are struck by it.
        workers: Processes that load images.
        mounted: Whether the run is on a file system of its own.
    """

    name: str
    strike: Strike
    is_clear: Callable[[End], bool]
    runs: int
    workers: int = 0
    mounted: bool = False


def is_killed(end: End) -> bool:
    """Whether it was killed."""
    return end.code == -signal.SIGKILL


def is_told(end: End) -> bool:
    """Whether it has ended with one sentence that says why."""
    told = end.code == 1 and end.last_line.startswith("error: ")
    return told and "Traceback" not in end.text


def is_stopped(end: End) -> bool:
    """Whether it has stopped in order and said how to go on."""
    command = f"; continue with: {launcher()[0]} -m experiments data=folders"
    stopped = end.code in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    return stopped and command in end.last_line and "Traceback" not in end.text


@contextmanager
def killed(target: Target) -> Iterator[None]:
    """SIGKILL, whatever it is at."""
    target.run.signal(signal.SIGKILL)
    yield


@contextmanager
def terminated(target: Target) -> Iterator[None]:
    """SIGTERM, as schedulers send it."""
    target.needs_begun()
    target.run.signal(signal.SIGTERM, group=target.rng.random() < 0.5)
    yield


@contextmanager
def interrupted(target: Target) -> Iterator[None]:
    """Ctrl-C, which terminals send to all processes of a run."""
    target.needs_begun()
    target.run.signal(signal.SIGINT, group=True)
    yield


@contextmanager
def full(target: Target) -> Iterator[None]:
    """No space is left, until some is made."""
    target.needs_begun()
    ballast = target.site.out / ".ballast"
    with ballast.open("wb", buffering=0) as file:
        while (free := os.statvfs(target.site.out)).f_bavail:
            file.write(bytes(free.f_bavail * free.f_frsize))
    yield
    ballast.unlink()


@contextmanager
def read_only(target: Target) -> Iterator[None]:
    """The file system becomes read-only, as after an error of a disk."""
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
    """A crash of the machine leaves a part of the last state."""
    state = target.site.out / STATE
    target.run.signal(signal.SIGKILL)
    target.run.ended()
    if not (state.exists() and previous(state).exists()):
        raise MissedError
    os.truncate(state, target.rng.randrange(state.stat().st_size))
    yield


@contextmanager
def vanished(target: Target) -> Iterator[None]:
    """A file of the data is gone, until it is back."""
    target.needs_begun()
    image = target.rng.choice(sorted(target.site.images.rglob("*.png")))
    away = image.replace(target.site.images.parent / image.name)
    yield
    away.replace(image)


@contextmanager
def without_worker(target: Target) -> Iterator[None]:
    """A process that loads images is killed, by the kernel short of memory say."""
    workers = psutil.Process(target.run.process.pid).children()
    if not workers:
        raise MissedError
    target.rng.choice(workers).kill()
    yield


@contextmanager
def poisoned(target: Target) -> Iterator[None]:
    """A batch with a NaN."""
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
"""A hundred runs in all."""
