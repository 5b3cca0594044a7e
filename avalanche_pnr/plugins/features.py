"""What plugins that compare backbone features with past ones have in common."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.past import PastModelPlugin


class PastFeaturesPlugin(PastModelPlugin):
    """Adds a regulariser of features h of the backbone and those of the past one.

    The present features are those of the pass that the loss comes from. The past ones
    are computed beside whatever other plugins ask of the past model.
    """

    def __init__(self) -> None:
        super().__init__(predictor_hidden_dim=None)
        self.supports_distributed = False
        self._features: list[Tensor] = []
        self._hook: Any = None

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
        views = past.shape[:2]
        stacked = torch.stack(self._features, dim=1)
        features = stacked.reshape(*views, -1).to(past.dtype)
        return self.feature_regularizer(method, features, past)

    def add_predictor(self, method: SelfSupervisedMethod) -> None:
        """None: the distillation predictor is of projections."""

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Watch the backbone."""
        self._features = []
        if strategy.past_model.exists:
            self._hook = strategy.model.backbone.register_forward_hook(self._keep)

    def after_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Leave the backbone alone."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the regulariser."""
        if strategy.past_model.exists:
            past = strategy.past_model.features(strategy.mb_x)
            term = self.regularizer(strategy.model, strategy.mb_output, past)
            self.add_to_loss(strategy, term)
        self._features = []

    def _keep(self, _module: nn.Module, _inputs: Any, features: Tensor) -> None:
        self._features.append(features)
