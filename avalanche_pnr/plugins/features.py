"""The base class of plugins that compare backbone features with past ones."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.past import PastModelPlugin
from avalanche_pnr.plugins.past_source import Past
from avalanche_pnr.plugins.protocols import LossContext
from avalanche_pnr.plugins.recorded import RecordedFeatures


class PastFeaturesPlugin(PastModelPlugin):
    """Adds a regulariser of the backbone's features h and the past backbone's.

    The current features are recorded in the forward pass of the loss. The past ones
    take a pass of their own, besides the past model's for other plugins.

    Args:
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps, which needs no
            boundaries. See :class:`~avalanche_pnr.plugins.PastModelPlugin`.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.

    Raises:
        ValueError: If ``past`` is unknown, or the decay not in [0, 1).
    """

    def __init__(
        self, *, past: Past = "experience", ema_decay: float | None = None
    ) -> None:
        super().__init__(past=past, ema_decay=ema_decay)
        self.supports_distributed = False
        self._recorded: RecordedFeatures | None = None

    @abstractmethod
    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """Compute the term to add to the loss.

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
        recorded, self._recorded = self._recorded, None
        network, views = strategy.past_model.network, strategy.mb_x
        if recorded is None or network is None:
            return
        features = recorded.features(len(views))
        with torch.no_grad(), strategy.model.precision.autocast(views.device.type):
            past = network[0](views.flatten(0, 1))  # its backbone
        past = past.reshape(features.shape).to(features.dtype)
        term = self.feature_regularizer(strategy.model, features, past)
        self.add_to_loss(strategy, term)
