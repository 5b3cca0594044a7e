"""Commands of this repository, each in a process of its own.

On Linux they are forked from the process of the tests, which has imported the libraries
already: to import them anew takes longer than most of what is tested. Elsewhere, where
a fork is unsafe or unknown, they are started anew.
"""

import atexit
import faulthandler
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_METHOD = "fork" if sys.platform == "linux" else "spawn"
PATIENCE = 600
"""Seconds after which a command that has not ended prints where it is, and dies."""


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        returncode: Its exit status, or minus the number of the signal that killed it.
        stdout: What it printed.
        stderr: Its errors and its progress.
    """

    returncode: int
    stdout: str
    stderr: str


class Command:
    """``python -m module arguments``, running.

    Args:
        module: Module or package.
        *arguments: Arguments of its command line.
        group: Whether it is the first of a group of processes, which ``os.killpg``
            reaches as a terminal's Ctrl-C does.
        terminal: Terminal to write to, instead of keeping what is written.

    Attributes:
        pid: Number of the process.
    """

    def __init__(
        self, module: str, *arguments: str, group: bool = False, terminal: str = ""
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        kept = (f"{self._folder.name}/{name}" for name in ("stdout", "stderr"))
        self._outputs = [terminal or path for path in kept]
        self._process = multiprocessing.get_context(_METHOD).Process(
            target=_become, args=(module, arguments, self._outputs, group)
        )
        self._process.start()
        atexit.register(self._process.kill)  # or Python would wait for it
        assert self._process.pid is not None
        self.pid = self._process.pid

    def has_ended(self) -> bool:
        return self._process.exitcode is not None

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, but no longer than this."""
        self._process.join(seconds)
        return self.has_ended()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that must come true before the command ends."""
        while not condition():
            assert not self.has_ended(), self.ended()
            time.sleep(0.01)

    def ended(self) -> Ended:
        """Wait for its end."""
        self._process.join()
        assert self._process.exitcode is not None
        return Ended(self._process.exitcode, *map(_content, self._outputs))


def run(module: str, *arguments: str) -> Ended:
    """Run ``python -m module arguments`` to its end."""
    return Command(module, *arguments).ended()


def _become(
    module: str, arguments: tuple[str, ...], outputs: list[str], group: bool
) -> None:
    """Turn this process into that of a command."""
    if group:
        os.setsid()
    for number, path in enumerate(outputs, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    end_after(PATIENCE)
    sys.settrace(None)  # lines that a fork counts are not kept, and slow it down
    sys.argv = [module, *arguments]
    sys.modules.pop(f"{module}.__main__", None)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def end_after(seconds: int) -> None:
    """Let this process, if it has not ended then, print where it is, and die.

    By a signal: the thread of ``faulthandler.dump_traceback_later``, which pytest has
    begun, does not survive a fork, and would be waited for.
    """
    if sys.platform == "linux":
        faulthandler.register(signal.SIGALRM, file=2, chain=True)
        signal.alarm(seconds)


def _content(path: str) -> str:
    """Content of a file that a command has written; of a terminal, nothing."""
    file = Path(path)
    return file.read_text() if file.is_file() else ""
