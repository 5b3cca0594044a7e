"""PNR: the past model's embeddings as pseudo-negatives."""

from typing import Any

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.past import PastModelPlugin


class PNRPlugin(PastModelPlugin):
    """L1 + L2: plasticity with, and stability through, pseudo-negatives.

    L1 is the method's :meth:`~avalanche_pnr.SelfSupervisedMethod.plasticity` and
    takes the place of the SSL loss; L2 is its ``stability``. The loss that other
    plugins compute on batches of their own stays the plain SSL loss.

    Source: Cha et al. 2024, arXiv 2306.05101, section 3.
    """

    def verbs(self, method: SelfSupervisedMethod) -> tuple[str, ...]:
        """``agree`` and ``differ``, or a ``stability`` that is not made of them."""
        return ("stability",) if method.defines("stability") else ("agree", "differ")

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Let the method prepare its memory of pseudo-negatives."""
        if strategy.past_model.exists and strategy.part == 0:
            views = strategy.training_views(kwargs.get("num_workers", 0))
            strategy.model.begin_past(map(strategy.past_model, views))

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Hand the past outputs of this batch to the strategy's criterion."""
        if strategy.past_model.exists:
            strategy.pseudo_negatives = strategy.past_model(strategy.mb_x)

    def regularizer(
        self, method: SelfSupervisedMethod, output: Tensor, past: Tensor
    ) -> Tensor:
        """L2."""
        return method.stability(output, method.predict_past(output), past)

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        """Take the past outputs back, for the method to store for later batches."""
        strategy.pseudo_negatives = None
        if strategy.past_model.exists:
            strategy.model.remember(strategy.past_model(strategy.mb_x))
