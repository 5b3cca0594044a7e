"""The loaders of training: stacked views, in whole batches unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor
from torch.utils.data import DataLoader

from avalanche_pnr.random_state import preserve_random_state
from avalanche_pnr.sharding import sharded

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


def check_images(strategy: SelfSupervised) -> None:
    """Refuse experiences that are smaller than a batch.

    Args:
        strategy: One that drops incomplete batches.

    Raises:
        ValueError: With both numbers.
    """
    images = len(strategy.adapted_dataset)
    if images < strategy.train_mb_size:
        raise ValueError(
            f"experience {strategy.experience.current_experience} has {images} "
            f"images, less than one batch of {strategy.train_mb_size}: lower "
            "train_mb_size, or train(..., drop_last=False)"
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
            f"batches in {strategy.train_epochs} epochs, less than a step of "
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
            strategy.distributed.begin_batch(loader, [views])
            yield views.to(strategy.device)
