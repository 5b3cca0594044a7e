"""PNR: the past model's embeddings as pseudo-negatives."""

from typing import Any

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.distillation import DistillationPlugin, predict_past
from avalanche_pnr.plugins.past_source import Past
from avalanche_pnr.plugins.protocols import LossContext


class PNRPlugin(DistillationPlugin):
    """L = L1(z, f) + L2(z, p, f): learning and distillation with pseudo-negatives.

    z is the model's output, f the past model's for the same views, and p = g(z). L1
    is the method's :meth:`~avalanche_pnr.SelfSupervisedMethod.pnr_ssl_loss` and takes
    the place of the SSL loss; L2 is its ``pnr_distill_loss``. The loss that other
    plugins compute on batches of their own stays the plain SSL loss.

    Args:
        predictor_hidden_dim: Width of g's hidden layer; ``None`` for no network, p = z.
        lambda_pnr: Weight of the pseudo-negatives, for methods that have one (Barlow
            Twins, BYOL, VICReg); ``None`` for the method's own.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps, which needs no
            boundaries. See :class:`~avalanche_pnr.plugins.PastModelPlugin`.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.

    Raises:
        ValueError: If the width is below 1, the weight negative, ``past`` unknown, or
            the decay not in [0, 1).

    Source: Cha et al. 2024, arXiv 2306.05101, section 3.
    """

    def __init__(
        self,
        *,
        predictor_hidden_dim: int | None = 2048,
        lambda_pnr: float | None = None,
        past: Past = "experience",
        ema_decay: float | None = None,
    ) -> None:
        super().__init__(
            predictor_hidden_dim=predictor_hidden_dim, past=past, ema_decay=ema_decay
        )
        if lambda_pnr is not None:
            check_weights(lambda_pnr=lambda_pnr)
        self.lambda_pnr = lambda_pnr

    def objective(self, strategy: LossContext) -> dict[str, Tensor]:
        """Compute the two terms of the loss of a batch, L1 and L2."""
        method, z = strategy.model, strategy.mb_output
        f = strategy.past_model(strategy.mb_x)
        ssl_loss = method.pnr_ssl_loss(z, f)
        p = predict_past(method, z)
        distill_loss = method.pnr_distill_loss(z, p, f)
        return {"loss": ssl_loss, type(self).__name__: distill_loss}

    def required_losses(self, method: SelfSupervisedMethod) -> tuple[str, ...]:
        """Require both losses in L2, unless ``pnr_distill_loss`` is overridden."""
        if method.defines("pnr_distill_loss"):
            return ("pnr_distill_loss",)
        return ("distill_loss", "pseudo_negative_loss")

    def before_training(self, strategy: LossContext, **kwargs: Any) -> None:
        """Give the method its weight.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one, or its method
                lacks a loss.
            ValueError: If the weight does not fit the method.
        """
        super().before_training(strategy, **kwargs)
        if self.lambda_pnr is not None:
            strategy.model.set_lambda_pnr(self.lambda_pnr)

    def before_training_exp(self, strategy: LossContext, **kwargs: Any) -> None:
        """Set the objective, once there is a past model, and prepare queue R (MoCo)."""
        if not strategy.past_model.exists:
            return
        strategy.objective = self.objective
        if strategy.sub_experience == 0:
            views = strategy.training_views(kwargs.get("num_workers", 0))
            strategy.model.reset_past_queue(map(strategy.past_model, views))

    def after_training_iteration(self, strategy: LossContext, **kwargs: Any) -> None:
        """Enqueue f as pseudo-negatives of later batches (MoCo)."""
        if strategy.objective is not None:
            strategy.model.enqueue_past(strategy.past_model(strategy.mb_x))
