"""One progress bar over everything a command trains."""

from typing import Any

from avalanche.core import SupervisedPlugin
from tqdm import tqdm


class ProgressPlugin(SupervisedPlugin):
    """Advances a bar by one with each epoch, beside the loss of the last batch.

    Args:
        bar: The bar, shared by all strategies of a command.
        name: What is being trained.
    """

    def __init__(self, bar: "tqdm[Any]", name: str) -> None:
        super().__init__()
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
