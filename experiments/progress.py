"""One progress bar over everything a command trains."""

from typing import Any, Protocol, Self

from avalanche.core import SupervisedPlugin
from tqdm import tqdm

from avalanche_pnr.distributed.collectives import rank


class Progress(Protocol):
    """What a run says how far it is to; tqdm's bars are such.

    Attributes:
        n: Epochs that are done.
        total: Epochs in all.
    """

    n: int
    total: int

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def update(self, n: int = 1) -> object:
        """Advance by some epochs."""

    def set_description(self, desc: str) -> None:
        """Say what is being done."""

    def set_postfix(self, *, refresh: bool, loss: str) -> None:
        """Say how it goes."""

    def write(self, s: str) -> None:
        """Say something that stays."""


class Bar(tqdm):
    """A bar that leaves nothing behind, not even what it showed before its delay."""

    def close(self) -> None:
        """Make room for what is said next."""
        self.clear()
        super().close()


class SilentBar(tqdm):
    """That of the processes besides the first one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})

    @classmethod
    def write(cls, *args: Any, **kwargs: Any) -> None:
        """Write nothing."""


class BarOfSeeds(Bar):
    """A bar without the thread that tqdm gives its bars, since processes are forked."""

    monitor_interval = 0


def progress_bar(epochs: int) -> Progress:
    """A bar over epochs, which the first of several processes shows."""
    make = Bar if rank() == 0 else SilentBar
    bar: Progress = make(total=epochs, unit="epoch", delay=1, leave=False)
    return bar


class ProgressPlugin(SupervisedPlugin):
    """Advances a bar by one with each epoch, beside the loss of the last batch.

    Args:
        bar: The bar, shared by all strategies of a command.
        name: What is being trained.
    """

    def __init__(self, bar: Progress, name: str) -> None:
        super().__init__()
        self.supports_distributed = True
        self.bar = bar
        self.name = name

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the bar belongs to the command, not to a strategy."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is gone on with."""

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Say which experience is being trained."""
        number = strategy.experience.current_experience + 1
        length = len(strategy.experience.origin_stream)
        self.bar.set_description(f"{self.name} {number}/{length}")

    def after_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
        """Advance."""
        self.bar.set_postfix(loss=f"{strategy.loss.item():.3f}", refresh=False)
        self.bar.update()
