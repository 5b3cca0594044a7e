"""The progress of a run, and its strategy in training: all that is resumed."""

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from avalanche_pnr import SelfSupervised
from avalanche_pnr.distributed.collectives import broadcast_from_rank0, rank
from avalanche_pnr.runs.files import (
    LoadedState,
    load_state,
    naming_file,
    previous,
    save_state,
)
from avalanche_pnr.runs.interruption import Interruption
from avalanche_pnr.runs.periodic_save import PeriodicSave
from avalanche_pnr.runs.state_checks import check_count, check_keys, check_type
from experiments.constants import RESULTS, STATE
from experiments.progress import Progress


class Journal:
    """Saves the progress of a run in its folder, and resumes it.

    A run consists of named trainings. Results written after the last saved state are
    cut off when the run is continued, and written again. On several processes the first
    one writes; all of them call the journal together.

    Args:
        out: Folder of the run.
        minutes: Minutes since the last save after which the next epoch's end saves.
        bar: Progress bar, which a continued run advances.
        interruption: Handler of signals that ask to save and stop.

    Attributes:
        done: Names of the trainings that have finished.
    """

    def __init__(
        self, out: Path, minutes: float, bar: Progress, interruption: Interruption
    ) -> None:
        self.path = out / STATE
        self.results = out / RESULTS
        self.bar = bar
        self.interruption = interruption
        self.periodic = PeriodicSave(minutes, interruption, self.save)
        self.done: list[str] = []
        self._facts: dict[str, Any] = {}
        self._training: str | None = None
        self._finished = False

    @cached_property
    def saved(self) -> dict[str, Any] | None:
        """The last state, or ``None`` if there is none."""
        return broadcast_from_rank0(lambda: saved_state(self.path))

    def begin(self, facts: dict[str, Any]) -> dict[str, Any] | None:
        """Begin, or resume from the last saved state.

        Args:
            facts: Facts that the numbers depend on, saved with each state.

        Returns:
            The facts of the earlier process, or ``None`` if there was none.

        Raises:
            ValueError: If results that were written before are missing.
        """
        self._facts = facts
        if self.saved is None:
            broadcast_from_rank0(lambda: self._cut(0))
            self._save(None)
            return None
        written = self.saved["results"]
        broadcast_from_rank0(lambda: self._cut(written))
        self.done = list(self.saved["done"])
        self.bar.skip(self.saved["epochs"])
        before: dict[str, Any] = self.saved["facts"]
        return before

    def run_once(self, name: str, training: Callable[[], object]) -> None:
        """Run a training, unless it has finished before."""
        if name in self.done:
            return
        outer, self._training = self._training, name
        training()
        self._training = outer
        self.done.append(name)
        self._save(None)

    def has_checkpoint(self) -> bool:
        """Return whether an earlier process stopped in the midst of this training."""
        return self.saved is not None and self.saved["training"] == self._training

    def restore(self, strategy: SelfSupervised, stream: Any) -> bool:
        """Restore a strategy of this training as it was saved.

        Returns:
            True if it was saved at the end of an experience.
        """
        assert self.saved is not None
        saved = self.saved.pop("strategy")
        check_type(saved, f"{self.path}: the strategy", dict)
        state = LoadedState(saved, self.path)
        self.saved["training"] = None
        strategy.load_state_dict(state, stream)
        return state["experience"] is None

    def save(self, strategy: SelfSupervised) -> None:
        """Save a strategy between two batches, epochs or experiences.

        A strategy with a plugin whose state cannot be saved starts again instead.
        """
        if self._training is None:
            return
        try:
            self._save(strategy)
            self.interruption.saved = True
        except TypeError as error:
            self.bar.write(f"note: {self._training} can only start again ({error})")

    def finish(self) -> None:
        """Save a small state which says that the run has finished."""
        self._finished = True
        self._save(None)
        if rank() == 0:
            previous(self.path).unlink(missing_ok=True)

    def _save(self, strategy: SelfSupervised | None) -> None:
        of_strategy = None if strategy is None else strategy.state_dict()

        def write() -> None:
            state = {
                "done": self.done,
                "training": None if strategy is None else self._training,
                "strategy": of_strategy,
                "results": _synced_size(self.results),
                "epochs": self.bar.n,
                "facts": self._facts,
                "finished": self._finished,
            }
            save_state(self.path, state)

        broadcast_from_rank0(write)
        self.periodic.restart()

    def _cut(self, size: int) -> None:
        """Truncate the results to those written before the last saved state."""
        if self.results.is_symlink():
            raise ValueError(
                f"{self.results} is a link, and a run writes to files of its own folder"
                " alone: put the file itself there, or choose another out="
            )
        written = _synced_size(self.results)
        if written < size:
            raise ValueError(
                f"{self.results} holds {written} bytes, {size - written} fewer than "
                f"when {self.path} was saved: it has been changed; start again with "
                "another out="
            )
        if written:
            os.truncate(self.results, size)


def saved_state(path: Path) -> dict[str, Any] | None:
    """Read a run's last state; ``None`` if it has not saved any.

    Raises:
        ValueError: If it is not the state of a run.
    """
    if not path.exists() and not previous(path).exists():
        return None
    state = load_state(path)
    with naming_file(state):
        check_keys(dict(state), _STATE, "the run's state")
        check_type(state["done"], "done", list)
        for name in state["done"]:
            check_type(name, "a name of what is done", str)
        check_type(state["training"], "training", str, type(None))
        check_type(state["facts"], "facts", dict)
        check_keys(state["facts"], ("environment", "data"), "facts")
        check_type(state["facts"]["data"], "facts about the data", dict)
        check_type(state["finished"], "finished", bool)
        check_count(state["results"], "results")
        check_count(state["epochs"], "epochs")
    return state


_STATE = ("done", "training", "strategy", "results", "epochs", "facts", "finished")
"""Keys of a run's state."""


def _synced_size(path: Path) -> int:
    """Sync a file and return its size in bytes."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:  # Windows syncs what can be written to alone
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
