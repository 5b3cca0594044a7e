"""Osiris: replay with losses of past images and across experiences."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from avalanche_pnr.losses import cross_task_loss, simclr_loss
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.memory_plugin import MemoryPlugin
from avalanche_pnr.plugins.protocols import Strategy
from avalanche_pnr.plugins.recorded import RecordedFeatures

HEAD = "memory_projector"
"""Name of P among the heads of a method."""


class OsirisPlugin(MemoryPlugin):
    """L_SSL + lambda_osiris * (L_cross + L_past): Osiris-R, which replays.

    L_cross contrasts current with remembered images, L_past is SimCLR's loss of
    remembered ones. Both are of embeddings e = P(h) of features h, so that they leave
    the projections z to L_SSL. P begins as a copy of the projector when the second
    experience begins, becomes a head of ``strategy.model``, and carries over.

    Remembered images pass the backbone separately from the current batch. In the
    authors' code both pass it together, which makes no difference to their GroupNorm,
    and images enter the memory at each step; here when their experience ends.

    Args:
        lambda_osiris: Weight of both terms; 1/2 in the paper.
        temperature: tau of L_cross and L_past; 0.1 in the authors' code.
        mem_size: Largest number of images in the memory; 500 in the authors' code.
        batch_size_mem: Number of images replayed with a batch; ``None`` for
            ``train_mb_size``, the authors take three quarters.

    Raises:
        ValueError: If the weight is negative, the temperature not positive, or a size
            below 1.

    Source: Zhang et al. 2024, arXiv 2404.19132.
    """

    def __init__(
        self,
        *,
        lambda_osiris: float = 0.5,
        temperature: float = 0.1,
        mem_size: int = 256,
        batch_size_mem: int | None = None,
    ) -> None:
        super().__init__(mem_size=mem_size, batch_size_mem=batch_size_mem)
        check_weights(lambda_osiris=lambda_osiris)
        if not 0 < temperature < float("inf"):
            raise ValueError(
                f"temperature must be above 0 and finite, got {temperature}"
            )
        self.lambda_osiris = lambda_osiris
        self.temperature = temperature
        self._recorded: RecordedFeatures | None = None

    def heads(self, method: SelfSupervisedMethod) -> dict[str, Callable[[], nn.Module]]:
        """Name the second projector P."""
        return {HEAD: lambda: copy.deepcopy(method.projector)}

    def after_train_dataset_adaptation(self, strategy: Strategy, **kwargs: Any) -> None:
        """Add P in time for the experience's optimizer."""
        if len(self.memory):
            self.add_heads(strategy.model)

    def before_forward(self, strategy: Strategy, **kwargs: Any) -> None:
        """Record the backbone's features."""
        self.after_forward(strategy)  # where the last pass has failed
        if self._loader is not None:
            self._recorded = RecordedFeatures(strategy.model.backbone)

    def after_forward(self, strategy: Strategy, **kwargs: Any) -> None:
        """Stop recording."""
        if self._recorded is not None:
            self._recorded.stop()

    def before_backward(self, strategy: Strategy, **kwargs: Any) -> None:
        """Add both terms."""
        batch, recorded, self._recorded = self.draw(strategy), self._recorded, None
        if batch is None or recorded is None:
            return
        method, views = strategy.model, batch[0]
        current = _embed(method, recorded.features(len(strategy.mb_x)))
        with method.precision.autocast(views.device.type):
            rows = [method.backbone(view) for view in views.unbind(1)]
        remembered = _embed(method, torch.stack(rows, dim=1).to(current.dtype))
        cross = cross_task_loss(current, remembered, self.temperature)
        past = simclr_loss(remembered, self.temperature)
        self.add_to_loss(strategy, self.lambda_osiris * (cross + past))


def _embed(method: SelfSupervisedMethod, features: Tensor) -> Tensor:
    """Embeddings e, L2-normalised, (N, V, F) to (N, V, D)."""
    projector = method.heads[HEAD]
    embeddings = [projector(each) for each in features.unbind(1)]
    return normalize(torch.stack(embeddings, dim=1), dim=-1)
