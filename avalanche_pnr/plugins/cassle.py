"""CaSSLe: distil the past model through a predictor."""

from typing import Any

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.distillation import DistillationPlugin, predict_past
from avalanche_pnr.plugins.protocols import LossContext


class CaSSLePlugin(DistillationPlugin):
    """L_SSL + lambda_distill * D(g(z), f).

    D is the method's :meth:`~avalanche_pnr.SelfSupervisedMethod.distill_loss`.

    Args:
        predictor_hidden_dim: Width of g's hidden layer; ``None`` for no network, p = z.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps, which needs no
            boundaries. See :class:`~avalanche_pnr.plugins.PastModelPlugin`.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.

    Raises:
        ValueError: If the width is below 1, ``past`` unknown, or the decay not in
            [0, 1).

    Source: Fini et al. 2022, arXiv 2112.04215, equation 4.
    """

    def required_losses(self, method: SelfSupervisedMethod) -> tuple[str, ...]:
        """Require ``distill_loss``."""
        return ("distill_loss",)

    def before_backward(self, strategy: LossContext, **kwargs: Any) -> None:
        """Add lambda_distill * D(p, f)."""
        if strategy.past_model.exists:
            method = strategy.model
            f = strategy.past_model(strategy.mb_x)
            p = predict_past(method, strategy.mb_output)
            self.add_to_loss(
                strategy, method.lambda_distill * method.distill_loss(p, f)
            )
