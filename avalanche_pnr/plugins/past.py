"""The base class of plugins that refer to the past model."""

from typing import Any

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.base import SelfSupervisedPlugin
from avalanche_pnr.plugins.past_source import Past, past_source
from avalanche_pnr.plugins.protocols import LossContext


class PastModelPlugin(SelfSupervisedPlugin):
    """Takes the past model, and adds heads when an experience begins.

    The past model is shared through ``strategy.past_model``: several plugins cost one
    forward pass a batch. The plugin's heads become a part of ``strategy.model`` when
    the first experience with a past model begins, are trained by the strategy's
    optimizer and carry over to later experiences. Samples replayed by other plugins are
    regularised like those of the current experience.

    Args:
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each experience, as published; on online streams when the last
            sub-experience has been trained on. ``"ema"``, an exponential moving average
            of the model over steps, which needs no boundaries and is at work from the
            first step on; on one process only.
        ema_decay: Decay of ``"ema"`` in each step, in [0, 1); ``None`` for 0.999.

    Raises:
        ValueError: If ``past`` is unknown, or the decay does not belong to it or is not
            in [0, 1).
    """

    def __init__(
        self, *, past: Past = "experience", ema_decay: float | None = None
    ) -> None:
        super().__init__()
        self.source = past_source(past, ema_decay)
        # Running statistics differ between processes until an experience ends, and so
        # would their averages.
        self.supports_distributed = past == "experience"

    def required_losses(self, method: SelfSupervisedMethod) -> tuple[str, ...]:
        """Name the losses about the past that the method must define.

        Args:
            method: The strategy's model.
        """
        return ()

    def before_training(self, strategy: LossContext, **kwargs: Any) -> None:
        """Refuse what would fail later, once there is a past model.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one, or its method
                lacks a loss.
        """
        super().before_training(strategy, **kwargs)
        method, name = strategy.model, type(strategy.model).__name__
        for loss in self.required_losses(method):
            if not method.defines(loss):
                raise TypeError(
                    f"{name} does not define {loss}(predicted, past), which "
                    f"{type(self).__name__} needs: define it in {name}, or train "
                    "without that plugin"
                )

    def after_train_dataset_adaptation(
        self, strategy: LossContext, **kwargs: Any
    ) -> None:
        """Add the heads in time for the experience's optimizer.

        Raises:
            ValueError: If the past model is taken where experiences end, and the stream
                hides that.
        """
        self.source.begin(strategy)
        if strategy.past_model.exists:
            self.add_heads(strategy.model)

    def after_training_exp(self, strategy: LossContext, **kwargs: Any) -> None:
        """Take the past model, if this is where it comes from."""
        self.source.end(strategy)
