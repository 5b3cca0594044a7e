"""What plugins that refer to the past model have in common."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.base import SelfSupervisedPlugin


class PastModelPlugin(SelfSupervisedPlugin, ABC):
    """Adds a regulariser towards the past model from the second experience on.

    The past model is taken when an experience ends, on online streams when all its
    parts have been trained on. It is shared through ``strategy.past_model``: several
    plugins cost one forward pass a batch. The distillation predictor g becomes a part
    of ``strategy.model`` when the second experience begins, is trained by the
    strategy's optimizer and carries over to later experiences. Samples replayed by
    other plugins are regularised like those of the current experience.

    Args:
        predictor_hidden_dim: Width of g's hidden layer; ``None`` to do without g.

    Raises:
        ValueError: If the width is below 1.
    """

    def __init__(self, *, predictor_hidden_dim: int | None = 2048) -> None:
        super().__init__()
        self.supports_distributed = True
        if predictor_hidden_dim is not None and predictor_hidden_dim < 1:
            raise ValueError(
                "predictor_hidden_dim must be 1 or more, or None for no predictor, got "
                f"{predictor_hidden_dim}"
            )
        self.predictor_hidden_dim = predictor_hidden_dim

    def verbs(self, method: SelfSupervisedMethod) -> tuple[str, ...]:
        """The verbs about the past that the method must define for this plugin."""
        return ()

    @abstractmethod
    def regularizer(
        self, method: SelfSupervisedMethod, output: Tensor, past: Tensor
    ) -> Tensor:
        """The term to add to the loss.

        Args:
            method: The strategy's model.
            output: Its output for the current batch, shape (N, V, E).
            past: The past model's outputs f, shape (N, V, D).
        """

    def before_training(self, strategy: Any, **kwargs: Any) -> None:
        """Refuse what could only fail when there is a past.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one, or its method
                lacks a verb.
        """
        super().before_training(strategy, **kwargs)
        method, name = strategy.model, type(strategy.model).__name__
        for verb in self.verbs(method):
            if not method.defines(verb):
                raise TypeError(
                    f"{name} does not define {verb}(predicted, past), which "
                    f"{type(self).__name__} needs: define it in {name}, or train "
                    "without that plugin"
                )

    def after_train_dataset_adaptation(self, strategy: Any, **kwargs: Any) -> None:
        """Add the predictor in time for the experience's optimizer.

        Raises:
            ValueError: If the stream hides where its experiences end.
        """
        experience = strategy.experience
        if not getattr(experience, "access_task_boundaries", True):
            raise ValueError(
                f"{type(self).__name__} takes the past model where an experience ends, "
                "which this online stream hides: make it with "
                "split_online_stream(..., access_task_boundaries=True)"
            )
        if strategy.past_model.exists:
            self.add_predictor(strategy.model)

    def add_predictor(self, method: SelfSupervisedMethod) -> None:
        """Give the method the predictor that the regulariser needs."""
        method.add_distillation_predictor(self.predictor_hidden_dim)

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the regulariser."""
        if strategy.past_model.exists:
            past = strategy.past_model(strategy.mb_x)
            term = self.regularizer(strategy.model, strategy.mb_output, past)
            self.add_to_loss(strategy, term)

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Take the past model when the last part of an experience has ended."""
        if strategy.part + 1 == strategy.parts:
            strategy.past_model.snapshot(strategy.model)
