"""The base class of plugins for self-supervised strategies."""

from collections.abc import Callable, Collection
from typing import Any

from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.protocols import LossContext


class SelfSupervisedPlugin(SupervisedPlugin):
    """A plugin that needs the batches of views of a ``SelfSupervised`` strategy."""

    def heads(self, method: SelfSupervisedMethod) -> dict[str, Callable[[], nn.Module]]:
        """Name the heads trained with the method, with functions that make them.

        Args:
            method: The strategy's model.
        """
        return {}

    def add_heads(
        self, method: SelfSupervisedMethod, among: Collection[str] | None = None
    ) -> None:
        """Add the plugin's heads to the method, unless it has them.

        Call it before the optimizer is made.

        Args:
            method: The strategy's model.
            among: Names of parameters in a state to be loaded, so that only the heads
                in the state are added; ``None`` for all.
        """
        for name, make in self.heads(method).items():
            if among is None or any(key.startswith(f"heads.{name}.") for key in among):
                method.add_head(name, make)

    def before_training(self, strategy: LossContext, **kwargs: Any) -> None:
        """Refuse other strategies.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one.
        """
        if not hasattr(strategy, "past_model"):
            raise TypeError(
                f"{type(self).__name__} regularises self-supervised embeddings, which "
                f"{type(strategy).__name__} does not have: use it with "
                "avalanche_pnr.SelfSupervised"
            )

    def add_to_loss(self, strategy: LossContext, term: Tensor) -> None:
        """Add a term to the loss of the batch, under the plugin's name."""
        name = type(self).__name__
        known = strategy.loss_terms.get(name, 0)
        strategy.loss_terms[name] = known + term.detach().sum()
        strategy.loss += term
