"""One progress bar over everything a command trains."""

from typing import Any

from avalanche.core import SupervisedPlugin
from tqdm import tqdm

from avalanche_pnr.distributed import rank


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


def progress_bar(epochs: int) -> "tqdm[Any]":
    """A bar over epochs, which the first of several processes shows."""
    make = Bar if rank() == 0 else SilentBar
    return make(total=epochs, unit="epoch", delay=1, leave=False)


class ProgressPlugin(SupervisedPlugin):
    """Advances a bar by one with each epoch, beside the loss of the last batch.

    Args:
        bar: The bar, shared by all strategies of a command.
        name: What is being trained.
    """

    def __init__(self, bar: "tqdm[Any]", name: str) -> None:
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
