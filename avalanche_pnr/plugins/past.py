"""The base class of plugins that refer to the past model."""

from typing import Any

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.base import SelfSupervisedPlugin
from avalanche_pnr.plugins.protocols import LossContext


class PastModelPlugin(SelfSupervisedPlugin):
    """Takes the past model when an experience ends, and adds heads when one begins.

    On online streams the past model is taken when the last sub-experience has been
    trained on. It is shared through ``strategy.past_model``: several plugins cost one
    forward pass a batch. The plugin's heads become a part of ``strategy.model`` when
    the second experience begins, are trained by the strategy's optimizer and carry over
    to later experiences. Samples replayed by other plugins are regularised like those
    of the current experience.
    """

    def __init__(self) -> None:
        super().__init__()
        self.supports_distributed = True

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
            ValueError: If the stream hides where its experiences end.
        """
        if not getattr(strategy.experience, "access_task_boundaries", True):
            raise ValueError(
                f"{type(self).__name__} takes the past model where an experience ends, "
                "which this online stream hides: make it with "
                "split_online_stream(..., access_task_boundaries=True)"
            )
        if strategy.past_model.exists:
            self.add_heads(strategy.model)

    def after_training_exp(self, strategy: LossContext, **kwargs: Any) -> None:
        """Take the past model when the last sub-experience has ended."""
        if strategy.sub_experience + 1 == strategy.sub_experiences:
            strategy.past_model.snapshot(strategy.model)
