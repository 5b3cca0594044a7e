"""Seeds of one command side by side, each a run in a process of its own."""

import multiprocessing
import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from avalanche_pnr.runs.interruption import InterruptedRunError, Interruption, unblock
from avalanche_pnr.runs.progress import Bar
from experiments.continuing import create
from experiments.failures import EXPECTED, sentence, way_on
from experiments.messages import (
    Advanced,
    Begun,
    Failed,
    Message,
    MessageSender,
    RemoteBar,
    Said,
    Skipped,
    Warned,
)
from experiments.run import Comparison

POLL_SECONDS = 0.2
"""Seconds between checks whether the command must end."""


class FailedSeedsError(ValueError):
    """Raised when some seeds have failed and the others have ended.

    Args:
        failed: The failed seeds.
        count: Total number of seeds.
    """

    def __init__(self, failed: Sequence[int], count: int) -> None:
        names = ", ".join(map(str, failed))
        super().__init__(f"{len(failed)} of {count} seeds failed: {names}")


@dataclass(frozen=True)
class SeedRun:
    """The run of one process.

    Attributes:
        seed: Seed of the run.
        config: Composed configuration of this seed alone.
        command: Arguments that run this seed alone.
        out: Folder of the run.
        continue_with: Command that continues all seeds.
    """

    seed: int
    config: DictConfig
    command: list[str]
    out: Path
    continue_with: str


class SeedRuns:
    """Runs seeds, several at a time, with one progress bar.

    Args:
        runs: The seeds, in the order in which they are started.
        jobs: Number of seeds run at a time; if several, they have one thread each.
        interruption: Handler of this process's signals, which are passed on to seeds.
    """

    def __init__(
        self, runs: Sequence[SeedRun], jobs: int, interruption: Interruption
    ) -> None:
        self.jobs = jobs
        self.interruption = interruption
        self._all = len(runs)
        self._waiting = deque(runs)
        self._at_work: dict[Connection, tuple[SeedRun, BaseProcess]] = {}
        self._failures: dict[int, str] = {}
        self._warnings: set[str] = set()
        self._told_to_end = False
        self._bar = Bar(0, "epoch", delay=1)

    def run(self) -> list[int]:
        """Run the seeds; if one fails, the others go on.

        Returns:
            The seeds that have failed.

        Raises:
            InterruptedRunError: If this process is asked to end; all seeds are saved.
            ValueError: If a seed, and so every one, is refused before any has begun.
        """
        with self._bar, self.interruption.noted():
            try:
                while self._waiting or self._at_work:
                    self._pass_signal_on()
                    self._begin()
                    for receiver in wait(list(self._at_work), POLL_SECONDS):
                        assert isinstance(receiver, Connection)
                        self._receive(receiver)
            finally:
                for _, process in self._at_work.values():
                    process.kill()
        return list(self._failures)

    def _pass_signal_on(self) -> None:
        """Make all seeds save and end, if this process is asked to end."""
        if self._told_to_end or self.interruption.requested is None:
            return
        self._told_to_end = True
        self._waiting.clear()
        for _, process in self._at_work.values():
            process.terminate()

    def _begin(self) -> None:
        """Start as many seeds as there is room for."""
        while self._waiting and len(self._at_work) < self.jobs:
            run, one_thread = self._waiting.popleft(), self.jobs > 1
            context = _context(run, one_thread)
            receiver, connection = context.Pipe(duplex=False)
            arguments = run, one_thread, connection, os.getpid()
            process = context.Process(target=_run, args=arguments)
            process.start()
            connection.close()
            self._at_work[receiver] = run, process

    def _receive(self, receiver: Connection) -> None:
        """Handle a message, or the end of a process."""
        run, process = self._at_work[receiver]
        try:
            message: Message = receiver.recv()
        except EOFError:
            del self._at_work[receiver]
            process.join()
            if process.exitcode and not self._told_to_end:
                self._failures.setdefault(run.seed, _cause(process.exitcode))
                failure = self._failures[run.seed]
                self._bar.write(f"seed {run.seed}: error: {failure}", file=sys.stderr)
        else:
            self._take(run, message)

    def _take(self, run: SeedRun, message: Message) -> None:
        match message:
            case Begun(epochs):
                self._bar.total = epochs * self._all
                self._bar.refresh()
            case Advanced(epochs):
                self._bar.update(epochs)
            case Skipped(epochs):
                self._bar.skip(epochs)
            case Said(text):
                self._bar.write(f"seed {run.seed}, {text}")
            case Warned(text):
                if text not in self._warnings:
                    self._bar.write(text, file=sys.stderr)
                self._warnings.add(text)
            case Failed(text):
                if not self._bar.total:
                    raise ValueError(text)
                self._failures[run.seed] = text


def _context(run: SeedRun, one_thread: bool) -> Any:
    """Choose how to start a process: a fork, which has imported all, or anew.

    A GPU, threads of OpenMP and the libraries of other systems do not survive a fork.
    """
    on_cpu = str(run.config.device).startswith("cpu")
    one_thread = one_thread or torch.get_num_threads() == 1
    forks = sys.platform == "linux" and on_cpu and one_thread
    return multiprocessing.get_context("fork" if forks else "spawn")


def _run(run: SeedRun, one_thread: bool, connection: Connection, command: int) -> None:
    """Run one seed; the main function of its process."""
    import experiments.__main__  # noqa: F401  (registers the resolvers)

    sender = MessageSender(connection, command)
    warnings.showwarning = sender.warn
    if one_thread:
        torch.set_num_threads(1)
    prepared = False
    try:
        with Interruption(patient=True):
            unblock()
            bar = partial(RemoteBar, sender)
            comparison = Comparison(run.config, run.command, run.out, bar, patient=True)
            create(run.out.parent)
            create(run.out)
            prepared = True
            comparison.run()
    except InterruptedRunError as stop:
        sys.exit(128 + stop.number)
    except EXPECTED as error:
        end = way_on(error, run.continue_with) if prepared else ""
        sender.send(Failed(f"{sentence(error)}{end}"))
        sys.exit(1)


def _cause(code: int) -> str:
    """Explain the end of a process that sent no reason."""
    if code < 0:
        return (
            f"its process was ended by {signal.Signals(-code).name}: memory may be "
            "short, lower jobs"
        )
    if code > 128:
        return f"its process was stopped by {signal.Signals(code - 128).name}"
    return f"its process has ended with status {code}, as said above"
