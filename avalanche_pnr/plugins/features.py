"""What plugins that compare backbone features with past ones have in common."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.past import PastModelPlugin
from avalanche_pnr.plugins.watched import WatchedBackbone


class PastFeaturesPlugin(PastModelPlugin):
    """Adds a regulariser of features h of the backbone and those of the past one.

    The present features are those of the pass that the loss comes from. The past ones
    are computed beside whatever other plugins ask of the past model.
    """

    def __init__(self) -> None:
        super().__init__(predictor_hidden_dim=None)
        self.supports_distributed = False
        self._backbone = WatchedBackbone()

    @abstractmethod
    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """The term to add to the loss.

        Args:
            method: The strategy's model.
            features: h of the current batch, shape (N, V, F).
            past: The past backbone's, shape (N, V, F), without gradient.
        """

    def regularizer(
        self, method: SelfSupervisedMethod, output: Tensor, past: Tensor
    ) -> Tensor:
        """The term of the features of the last pass; see ``feature_regularizer``."""
        features = self._backbone.take(len(past))
        return self.feature_regularizer(method, features, past)

    def add_predictor(self, method: SelfSupervisedMethod) -> None:
        """None: the distillation predictor is of projections."""

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Watch the backbone."""
        if strategy.past_model.exists:
            self._backbone.watch(strategy.model.backbone)

    def after_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Leave the backbone alone."""
        self._backbone.leave()

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the regulariser."""
        if strategy.past_model.exists:
            past = strategy.past_model.features(strategy.mb_x)
            term = self.regularizer(strategy.model, strategy.mb_output, past)
            self.add_to_loss(strategy, term)
