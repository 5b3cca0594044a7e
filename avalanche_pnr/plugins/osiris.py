"""Osiris: what is learnt now, what was, and what tells them apart."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.losses import cross_task_loss, simclr_loss
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.memory_plugin import MemoryPlugin
from avalanche_pnr.plugins.watched import WatchedBackbone


class OsirisPlugin(MemoryPlugin):
    """L_SSL + lambda_osiris * (L_cross + L_past): Osiris-R, which replays.

    L_cross contrasts current with remembered images, L_past is SimCLR's loss of
    remembered ones. Both are of embeddings e = P(h) of features h, so that they leave
    the projections z to L_SSL. P begins as a copy of the projector when the second
    experience begins, becomes a part of ``strategy.model``, and carries over.

    Remembered images pass the backbone beside the current batch. In the authors' code
    they pass it together, with GroupNorm, which does not tell the difference, and
    enter the memory at each step; here when their experience ends.

    Args:
        lambda_osiris: Weight; 1/2 in the paper.
        temperature: tau of L_cross and L_past; 0.1 in the authors' code.
        mem_size: Images in the memory at most; 500 in the authors' code.
        batch_size_mem: Images replayed beside a batch; ``None`` for
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
        self._backbone = WatchedBackbone()

    def after_train_dataset_adaptation(self, strategy: Any, **kwargs: Any) -> None:
        """Add P in time for the experience's optimizer."""
        if len(self.memory):
            strategy.model.add_memory_projector()

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Watch the backbone."""
        if self._loader is not None:
            self._backbone.watch(strategy.model.backbone)

    def after_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Leave the backbone alone."""
        self._backbone.leave()

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add both terms."""
        batch = self.draw(strategy)
        if batch is None:
            return
        method, views = strategy.model, batch[0]
        current = _embed(method, self._backbone.take(len(strategy.mb_x)))
        run, backbone = method.precision.run, method.backbone
        features = torch.stack([run(backbone, view) for view in views.unbind(1)], dim=1)
        remembered = _embed(method, features)
        cross = cross_task_loss(current, remembered, self.temperature)
        past = simclr_loss(remembered, self.temperature)
        self.add_to_loss(strategy, self.lambda_osiris * (cross + past))


def _embed(method: SelfSupervisedMethod, features: Tensor) -> Tensor:
    """Embeddings e, L2-normalised, (N, V, F) to (N, V, D)."""
    projector = method.memory_projector
    assert projector is not None
    embeddings = [projector(each) for each in features.unbind(1)]
    return normalize(torch.stack(embeddings, dim=1), dim=-1)
