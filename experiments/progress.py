"""One progress bar over everything a command trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from avalanche.core import SupervisedPlugin

from avalanche_pnr.distributed.collectives import rank
from avalanche_pnr.runs.progress import Bar

if TYPE_CHECKING:
    from avalanche_pnr import SelfSupervised


class Progress(Protocol):
    """The protocol of progress bars, which :class:`Bar` follows.

    Attributes:
        n: Number of epochs done.
        total: Total number of epochs.
    """

    n: int
    total: int

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def update(self, n: int = 1) -> object:
        """Advance by some epochs."""

    def skip(self, n: int) -> None:
        """Count epochs of an earlier process."""

    def set_description(self, desc: str) -> None:
        """Describe the current work."""

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        """Show the current loss."""

    def write(self, s: str) -> None:
        """Print a line that stays."""


class SilentBar(Bar):
    """The bar of all processes but the first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})

    @classmethod
    def write(cls, *args: Any, **kwargs: Any) -> None:
        """Write nothing."""

    def skip(self, n: int) -> None:
        """Do nothing."""


def progress_bar(epochs: int) -> Progress:
    """A bar over epochs, which the first of several processes shows."""
    make = Bar if rank() == 0 else SilentBar
    bar: Progress = make(epochs, "epoch", delay=1)
    return bar


class ProgressPlugin(SupervisedPlugin):
    """Advances a bar by one after each epoch, and shows the loss of the last batch.

    Args:
        bar: The bar, shared by all strategies of a command.
        name: Name of the training.
    """

    def __init__(self, bar: Progress, name: str) -> None:
        super().__init__()
        self.supports_distributed = True
        self.bar = bar
        self.name = name

    def state_dict(self) -> dict[str, Any]:
        """Empty: the bar belongs to the command, not to a strategy."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""

    def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Show which experience is being trained."""
        number = strategy.experience.current_experience + 1
        length = len(strategy.experience.origin_stream)
        self.bar.set_description(f"{self.name} {number}/{length}")

    def after_training_epoch(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Advance."""
        self.bar.set_postfix_str(f"loss {strategy.loss.item():.3f}", refresh=False)
        self.bar.update()
