"""DER: replay with distillation of stored projections."""

from typing import Any

import torch
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader

from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.memory_plugin import MemoryPlugin
from avalanche_pnr.plugins.protocols import Strategy


class DERPlugin(MemoryPlugin):
    """L_SSL + lambda_der * mean squared error of z and z_M over remembered images.

    z are projections of fresh views of remembered images, z_M those that were stored
    with them, each view with its own: the two are of different crops. The projections
    are not normalised; a method's own heads behind them (BYOL's predictor) and
    momentum networks take no part.

    The replayed views pass backbone and projector separately from the current batch, in
    train mode as in the authors' code: BatchNorm normalises them on their own, and its
    running statistics follow both. In that code images enter the memory at each step,
    with the backbone's output of one view in train mode; here when their experience
    ends, with projections of both views in eval mode.

    Args:
        lambda_der: Weight of the distance, alpha in the paper.
        mem_size: Largest number of images in the memory; 256 in the authors'
            configurations.
        batch_size_mem: Number of images replayed with a batch; ``None`` for
            ``train_mb_size``, as the authors do.

    Raises:
        ValueError: If the weight is negative, or a size below 1.

    Source: Buzzega et al. 2020, arXiv 2004.07211, equation 6; for self-supervised
    learning, Madaan et al. 2022, arXiv 2110.06976.
    """

    def __init__(
        self,
        *,
        lambda_der: float = 1.0,
        mem_size: int = 256,
        batch_size_mem: int | None = None,
    ) -> None:
        super().__init__(mem_size=mem_size, batch_size_mem=batch_size_mem)
        check_weights(lambda_der=lambda_der)
        self.lambda_der = lambda_der
        self.projections = torch.empty(0)
        """Stored projections z_M, shape (M, V, D), in the order of the memory."""

    def remembered(self) -> AvalancheDataset:
        """Return the remembered images, each with its row in the memory."""
        dataset = self.memory.dataset
        places = DataAttribute(list(range(len(dataset))), "place", use_in_getitem=True)
        return dataset.update_data_attribute("place", places)

    def before_backward(self, strategy: Strategy, **kwargs: Any) -> None:
        """Add the distance."""
        batch = self.draw(strategy)
        if batch is not None:
            z = _project(strategy.model, batch[0])
            stored = self.projections[batch[-1].cpu()].to(z)
            self.add_to_loss(strategy, self.lambda_der * mse_loss(z, stored))

    def after_training_exp(self, strategy: Strategy, **kwargs: Any) -> None:
        """Add images to the memory and store their projections."""
        before = self.memory.add(strategy.experience.dataset)
        new = [row for row, then in enumerate(before) if then is None]
        fresh = iter(_stored_projections(strategy, self.memory.dataset.subset(new)))
        self.projections = torch.stack(
            [next(fresh) if then is None else self.projections[then] for then in before]
        )


def _project(method: Any, views: Tensor) -> Tensor:
    """Projections z, (M, V, ...) to (M, V, D)."""
    rows = [method.projector(method.backbone(view)) for view in views.unbind(1)]
    return torch.stack(rows, dim=1)


@torch.no_grad()
def _stored_projections(strategy: Strategy, dataset: AvalancheDataset) -> list[Tensor]:
    """Projections of images that are added to the memory, shape (V, D) each."""
    loader = DataLoader(dataset, strategy.train_mb_size, collate_fn=dataset.collate_fn)
    strategy.model.eval()
    found = [
        _project(strategy.model, batch[0].to(strategy.device)).cpu() for batch in loader
    ]
    strategy.model.train()
    return list(torch.cat(found)) if found else []
