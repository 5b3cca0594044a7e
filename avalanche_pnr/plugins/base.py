"""What plugins of self-supervised strategies have in common."""

from typing import Any

from avalanche.core import SupervisedPlugin
from torch import Tensor


class SelfSupervisedPlugin(SupervisedPlugin):
    """A plugin that needs the batches of views of a ``SelfSupervised`` strategy."""

    def before_training(self, strategy: Any, **kwargs: Any) -> None:
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

    def add_to_loss(self, strategy: Any, term: Tensor) -> None:
        """Add a term to the loss of the batch, under the plugin's name."""
        name = type(self).__name__
        known = strategy.loss_terms.get(name, 0)
        strategy.loss_terms[name] = known + term.detach().sum()
        strategy.loss += term
