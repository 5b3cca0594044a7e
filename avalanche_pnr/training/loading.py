"""Loaders for training: stacked views, by default in complete batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor
from torch.utils.data import DataLoader

from avalanche_pnr.distributed.sharding import sharded
from avalanche_pnr.reproducibility.random_state import preserve_random_state

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


def check_images(strategy: SelfSupervised, drop_last: bool) -> None:
    """Refuse experiences without a complete batch, or with a last batch of one image.

    Args:
        strategy: The strategy.
        drop_last: Whether the strategy drops an incomplete last batch.

    Raises:
        ValueError: With both numbers.
    """
    images, batch = len(strategy.adapted_dataset), strategy.train_mb_size
    name = f"experience {strategy.experience.current_experience}"
    if drop_last and images < batch:
        raise ValueError(
            f"{name} has {images} images, fewer than one batch of {batch}: lower "
            "train_mb_size, or train(..., drop_last=False)"
        )
    if not drop_last and images % batch == 1:
        raise ValueError(
            f"{name} has {images} images, and its last batch of {batch} would have a "
            "single one: change train_mb_size, or leave drop_last=False out"
        )


def check_batches(strategy: SelfSupervised) -> None:
    """Refuse experiences that have fewer batches than an optimizer step.

    Raises:
        ValueError: With both numbers.
    """
    batches = len(strategy.dataloader) * strategy.train_epochs
    if 0 < batches < strategy.accumulation.batches:
        raise ValueError(
            f"experience {strategy.experience.current_experience} has {batches} "
            f"batches in {strategy.train_epochs} epochs, fewer than a step of "
            f"accumulate={strategy.accumulation.batches}: lower accumulate"
        )


def views_of_experience(strategy: SelfSupervised, num_workers: int) -> Iterator[Tensor]:
    """See :meth:`~avalanche_pnr.SelfSupervised.training_views`."""
    loader = sharded(
        DataLoader(
            strategy.adapted_dataset,
            batch_size=strategy.train_mb_size,
            shuffle=True,
            collate_fn=strategy.adapted_dataset.collate_fn,
            num_workers=num_workers,
        )
    )
    with preserve_random_state():
        for batch in loader:
            views = batch if isinstance(batch, Tensor) else batch[0]
            if strategy.distributed is not None:
                strategy.distributed.begin_batch(loader, [views])
            yield views.to(strategy.device)
