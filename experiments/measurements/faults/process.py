"""A run of the main job in a process of its own."""

import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from avalanche_pnr import SelfSupervised
from avalanche_pnr.runs.files import write_whole
from experiments.__main__ import main
from experiments.measurements.faults.fingerprint import fingerprint
from experiments.trainer import Trainer

# Processes are forked from one that has imported this: imports take seconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, "experiments.run", "experiments.report"])

PATIENCE = 300
"""Seconds after which a run that has not ended counts as hanging."""


class End(NamedTuple):
    """The end of a process.

    Attributes:
        code: Exit status, negative for a signal.
        text: All output of the process.
    """

    code: int
    text: str

    @property
    def last_line(self) -> str:
        """The last line of output, without the progress bar before it."""
        lines = [each.strip() for each in re.split("[\r\n]", self.text)]
        return next((each for each in reversed(lines) if each), "")


class Run:
    """A running ``python -m experiments ...``.

    On SIGUSR1 the next batch of training is poisoned with a NaN.

    Args:
        arguments: Arguments of the command line.
        log: File to which its output is appended.
        end: File for a fingerprint of each strategy evaluated.
    """

    def __init__(self, arguments: Sequence[str], log: Path, end: Path) -> None:
        self.log = log
        self._start = log.stat().st_size if log.exists() else 0
        values = (list(arguments), str(log), str(end))
        self.process = _CONTEXT.Process(target=_run, args=values)
        self.process.start()

    def lasts(self, seconds: float) -> bool:
        """Return whether the process still runs after some seconds."""
        self.process.join(seconds)
        return self.process.exitcode is None

    def signal(self, number: int, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group, as a terminal does."""
        assert self.process.pid is not None
        (os.killpg if group else os.kill)(self.process.pid, number)

    def ended(self) -> End:
        """Wait for the end of the process.

        Raises:
            TimeoutError: If it does not end in time; it is killed.
        """
        if self.lasts(PATIENCE):
            self.signal(signal.SIGKILL)
            raise TimeoutError(f"a run has not ended after {PATIENCE} s")
        code = self.process.exitcode
        assert code is not None
        return End(code, self.log.read_bytes()[self._start :].decode())


def _run(arguments: list[str], log: str, end: str) -> None:
    multiprocessing.set_start_method(None, force=True)  # of processes of its own
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    signal.signal(signal.SIGUSR1, _poison)
    _keep_fingerprints(Path(end))
    sys.argv = ["experiments", *arguments]
    main()


def _keep_fingerprints(end: Path) -> None:
    judge = Trainer.evaluate

    def judged(self: Trainer, name: str, strategy: SelfSupervised) -> None:
        judge(self, name, strategy)
        write_whole(end, fingerprint(strategy.state_dict()).encode())

    Trainer.evaluate = judged  # type: ignore[method-assign]


def _poison(*_: Any) -> None:
    unpack = SelfSupervised._unpack_minibatch

    def poisoned(self: Any) -> None:
        unpack(self)
        if self.is_training:
            self.mbatch[0][0] = float("nan")
            SelfSupervised._unpack_minibatch = unpack  # type: ignore[method-assign]

    SelfSupervised._unpack_minibatch = poisoned  # type: ignore[method-assign]


def until(condition: Any, seconds: float = 20.0) -> bool:
    """Return whether a condition becomes true within some seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True
