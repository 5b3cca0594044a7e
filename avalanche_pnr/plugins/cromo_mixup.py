"""CroMo-Mixup: mixtures across experiences, compared with features of two models."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Beta

from avalanche_pnr.losses import mixup
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.memory_plugin import MemoryPlugin
from avalanche_pnr.plugins.past import PastModelPlugin
from avalanche_pnr.plugins.protocols import LossContext, Strategy


class CroMoMixupPlugin(MemoryPlugin, PastModelPlugin):
    """L_SSL + lambda L(z_mix, z) + (1 - lambda) L(z_mix, f_M).

    Cross-task data mixup makes lambda x + (1 - lambda) x_M of images x of the batch and
    remembered ones x_M, view by view, with one lambda ~ Beta(alpha, alpha) for a batch.
    Cross-model feature mixup compares the mixture's projection z_mix with the
    projection z of x, and with the past model's output f_M of x_M; both terms are means
    over the views. L is the method's
    :meth:`~avalanche_pnr.SelfSupervisedMethod.pair_loss`: as in the authors' code the
    SSL loss of SimCLR and Barlow Twins, and BYOL's distance.

    The authors add CaSSLe's distillation, which is ``CaSSLePlugin`` beside this one;
    with ``PNRPlugin`` it works as well. The batch itself stays as it is.

    Mixtures pass backbone and projector separately from the current batch, so that
    BatchNorm normalises them on their own; in the authors' code both pass them
    together, their past model is in train mode, and their runs of Barlow Twins fix
    lambda at 0.7.

    Args:
        alpha: Parameter of the Beta distribution; 1, the uniform distribution, in the
            authors' code.
        mem_size: Largest number of images in the memory; 25 to 500 for each experience
            in the authors' runs.
        batch_size_mem: Number of mixtures in a batch; ``None`` for ``train_mb_size``,
            the authors take 64 of 256 or 512.

    Raises:
        ValueError: If alpha is not a positive number, or a size below 1.

    Source: Mushtaq et al. 2024, arXiv 2407.12188, as in the authors' code.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        mem_size: int = 256,
        batch_size_mem: int | None = None,
    ) -> None:
        super().__init__(mem_size=mem_size, batch_size_mem=batch_size_mem)
        if not 0 < alpha < float("inf"):
            raise ValueError(f"alpha must be above 0 and finite, got {alpha}")
        self.alpha = alpha
        self.supports_distributed = False  # memories differ between processes

    def required_losses(self, method: SelfSupervisedMethod) -> tuple[str, ...]:
        """Require ``distill_loss``, unless ``pair_loss`` is overridden."""
        return () if method.defines("pair_loss") else ("distill_loss",)

    def before_backward(self, strategy: Strategy, **kwargs: Any) -> None:
        """Add both terms."""
        # On online streams there are remembered images before there is a past model.
        batch = self.draw(strategy) if strategy.past_model.exists else None
        if batch is None:
            return
        images = min(len(strategy.mb_x), len(batch[0]))
        current, remembered = strategy.mb_x[:images], batch[0][:images]
        share = Beta(self.alpha, self.alpha).sample().item()
        method = strategy.model
        mixed = _project(method, mixup(current, remembered, share))
        z = method.projection(strategy.mb_output)[:images]
        f = strategy.past_model(remembered, keep=False)
        views = zip(mixed.unbind(1), z.unbind(1), f.unbind(1), strict=True)
        terms = [
            share * method.pair_loss(z_mix, z_now)
            + (1 - share) * method.pair_loss(z_mix, f_then)
            for z_mix, z_now, f_then in views
        ]
        self.add_to_loss(strategy, torch.stack(terms).mean())

    def after_training_exp(self, strategy: LossContext, **kwargs: Any) -> None:
        """Take the past model, and add images of the experience to the memory."""
        self.source.end(strategy)
        self.memory.add(strategy.experience.dataset)


def _project(method: SelfSupervisedMethod, views: Tensor) -> Tensor:
    """Projections z of views, (M, V, ...) to (M, V, D)."""
    with method.precision.autocast(views.device.type):
        rows = [method.projector(method.backbone(view)) for view in views.unbind(1)]
    projections = torch.stack(rows, dim=1)
    return projections if method.precision.dtype == "float32" else projections.float()
