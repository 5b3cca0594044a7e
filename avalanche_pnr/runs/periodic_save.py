"""Saving a training from time to time, and when its process must stop."""

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from avalanche_pnr.distributed.collectives import all_reduce_max
from avalanche_pnr.runs.interruption import Interruption


class Training(Protocol):
    """A training whose state is whole after each batch and each epoch."""

    @property
    def within_epoch(self) -> bool:
        """True if it stands between two batches of an epoch."""


Trained = TypeVar("Trained", bound=Training)


class PeriodicSave(Generic[Trained]):
    """Saves a training when it is time to, or when the process must stop.

    All processes of a training call it together.

    Args:
        minutes: Minutes since the last save after which the next epoch's end saves.
        interruption: Handler of signals that ask to save and stop.
        save: Saves a training; it sets ``interruption.saved`` if that saves all that
            was trained.
    """

    def __init__(
        self,
        minutes: float,
        interruption: Interruption,
        save: Callable[[Trained], None],
    ) -> None:
        self.minutes = minutes
        self.interruption = interruption
        self._save = save
        self.restart()

    def restart(self) -> None:
        """Count the minutes from now on."""
        self._last = time.monotonic()

    def checkpoint(self, training: Trained) -> None:
        """Save between two batches or epochs if it is time to, or the run must stop.

        Raises:
            InterruptedRunError: If the run must stop.
        """
        requested, passed = all_reduce_max(
            self.interruption.requested or 0,
            time.monotonic() - self._last >= 60 * self.minutes,
        )
        self.interruption.requested = requested or None
        if requested or (passed and not training.within_epoch):
            self._save(training)
            self.restart()
        self.interruption.stop_if_requested()
