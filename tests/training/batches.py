"""What a strategy trains on, kept."""

from typing import Any

from avalanche.core import SupervisedPlugin
from torch import Tensor


class Batches(SupervisedPlugin):
    """Keeps the batches that a strategy trains on."""

    def __init__(self) -> None:
        super().__init__()
        self.views: list[Tensor] = []

    def before_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        self.views.append(strategy.mb_x.clone())
