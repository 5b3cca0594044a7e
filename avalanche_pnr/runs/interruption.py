"""SIGTERM, SIGHUP and Ctrl-C: stopping where the state can be saved."""

import _thread
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from threading import Timer
from traceback import clear_frames
from types import FrameType
from typing import Any

HANGUP = getattr(signal, "SIGHUP", None)
"""Signal of a terminal that is closed; Windows has none."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, *([] if HANGUP is None else [HANGUP]))


class InterruptedRunError(BaseException):
    """Raised where a run stops on request.

    Like ``KeyboardInterrupt`` it is not an ``Exception``, so libraries do not catch it.

    Args:
        number: The signal.
        saved: Whether all that has been trained was saved after it came.
    """

    def __init__(self, number: int, saved: bool) -> None:
        kept = ", and saved" if saved else "; what was not saved yet is done again"
        super().__init__(f"{signal.Signals(number).name}{kept}")
        self.number = number


class Interruption:
    """A block in which signals that end a process ask it to stop in order.

    In training a first signal is only noted, so that the state can be saved; a second
    one that is not SIGHUP, or any outside training, where nothing is left to save,
    stops at once. Where Python drops the error that stops it, the signal is sent again.
    SIGHUP stays ignored if it was ignored at the start of the block, as under
    ``nohup``.

    Args:
        patient: Whether signals after the first are ignored: for a process that
            receives them both from the terminal or scheduler and from its parent, which
            kills it if it must not wait.

    Attributes:
        requested: The signal that was noted, or ``None``.
        saved: Whether all that was trained has been saved since the signal; set by the
            code that saves.
    """

    def __init__(self, patient: bool = False) -> None:
        self.requested: int | None = None
        self.patient = patient
        self.saved = False
        self._training = False
        self._before: dict[int, Any] = {}
        self._report = sys.unraisablehook
        self._entered = ExitStack()

    def __enter__(self) -> "Interruption":
        self._entered.enter_context(_blocked_signals())
        self._report, sys.unraisablehook = sys.unraisablehook, self._dropped
        heard = [each for each in SIGNALS if not _is_switched_off(each)]
        self._before = {each: signal.signal(each, self._note) for each in heard}
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if isinstance(error, InterruptedRunError):
            # Loaders that were only half made fail while they are finalized, which
            # would be printed after the sentence that says how to continue.
            sys.unraisablehook = _ignore
            clear_frames(error.__traceback__)
        sys.unraisablehook = self._report
        self._entered.close()
        _end_workers()
        if isinstance(error, Exception):  # a library may have made it of ours
            self.stop_if_requested()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note signals in a block that handles ``requested`` itself."""
        self._training = True
        try:
            yield
        finally:
            self._training = False
        self.stop_if_requested()

    def stop_if_requested(self) -> None:
        """Stop here if a signal has been noted.

        Raises:
            InterruptedRunError: If one has.
        """
        if self.requested is not None:
            raise InterruptedRunError(self.requested, self.saved)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # A terminal that is closed tells its programs, and so does the shell in it.
        again = self.requested is not None and number != HANGUP
        self.requested, self.saved = number, False
        waits = self.patient if again else self._training
        if not waits:
            raise InterruptedRunError(number, saved=False)

    def _dropped(self, error: "sys.UnraisableHookArgs") -> None:
        """Send the signal again where Python drops the error, in finalizers."""
        if isinstance(error.exc_value, InterruptedRunError):
            self.requested = None  # so that it is not taken for a second one
            Timer(0.01, _send, [error.exc_value.number]).start()
        else:
            self._report(error)


def _ignore(_error: "sys.UnraisableHookArgs") -> None:
    """Say nothing of an error in a finalizer."""


def _is_switched_off(number: int) -> bool:
    """Return whether a signal is ignored, for example SIGHUP under ``nohup``."""
    return number == HANGUP and signal.getsignal(number) == signal.SIG_IGN


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Start processes that load images with the signals blocked.

    A scheduler, or Ctrl-C, tells all processes of a run to end; without its loaders,
    training could not finish a batch. Processes inherit blocked signals, forked and
    spawned ones alike; signals that arrive meanwhile are handled after the start.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield  # on Windows they ignore Ctrl-C themselves
        return
    start = BaseProcess.start

    def deaf(self: BaseProcess) -> None:
        method = getattr(self, "_start_method", None)
        if (method or multiprocessing.get_start_method()) != "fork":
            resource_tracker.ensure_running()  # which would let signals through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            start(self)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    BaseProcess.start = deaf  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseProcess.start = start  # type: ignore[method-assign]


def _end_workers() -> None:
    """End the processes that load images when a run has ended or failed.

    They ignore the signal by which Python ends them, and Python would wait for them.
    """
    has_children = hasattr(signal, "SIGCHLD")
    if has_children:
        handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's raises
    for each in multiprocessing.active_children():
        each.kill()
        each.join()
    if has_children:
        signal.signal(signal.SIGCHLD, handler)


def unblock() -> None:
    """Unblock signals in a forked process that does not load images."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _send(number: int) -> None:
    """Send a signal to this process; on Windows ``os.kill`` would end it."""
    if os.name == "nt":
        _thread.interrupt_main(signal.Signals(number))
    else:
        os.kill(os.getpid(), number)
