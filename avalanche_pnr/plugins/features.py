"""The base class of plugins that compare backbone features with past ones."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.past import PastModelPlugin
from avalanche_pnr.plugins.protocols import LossContext
from avalanche_pnr.plugins.recorded import RecordedFeatures


class PastFeaturesPlugin(PastModelPlugin):
    """Adds a regulariser of the backbone's features h and the past backbone's.

    The current features are recorded in the forward pass of the loss. The past ones
    take a pass of their own, besides the past model's for other plugins.
    """

    def __init__(self) -> None:
        super().__init__()
        self.supports_distributed = False
        self._recorded: RecordedFeatures | None = None

    @abstractmethod
    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """The term to add to the loss.

        Args:
            method: The strategy's model.
            features: h of the current batch, shape (N, V, F).
            past: Features of the past backbone, shape (N, V, F), without gradient.
        """

    def before_forward(self, strategy: LossContext, **kwargs: Any) -> None:
        """Record the backbone's features."""
        self.after_forward(strategy)  # where the last pass has failed
        if strategy.past_model.exists:
            self._recorded = RecordedFeatures(strategy.model.backbone)

    def after_forward(self, strategy: LossContext, **kwargs: Any) -> None:
        """Stop recording."""
        if self._recorded is not None:
            self._recorded.stop()

    def before_backward(self, strategy: LossContext, **kwargs: Any) -> None:
        """Add the regulariser."""
        if self._recorded is not None:
            features = self._recorded.features(len(strategy.mb_x))
            past = strategy.past_model.features(strategy.mb_x)
            term = self.feature_regularizer(strategy.model, features, past)
            self.add_to_loss(strategy, term)
            self._recorded = None
