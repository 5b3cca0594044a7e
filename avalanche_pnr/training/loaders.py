"""The loaders of training: stacked views, in whole batches unless told otherwise."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from avalanche_pnr.random_state import preserve_random_state
from avalanche_pnr.sharding import sharded
from avalanche_pnr.training.accumulation import Accumulation
from avalanche_pnr.training.data_parallel import Replica


class TrainingLoaders:
    """Avalanche mixin: loaders of an experience in training."""

    accumulation: Accumulation
    adapted_dataset: Any
    dataloader: Any
    device: torch.device
    experience: Any
    replica: Replica
    train_epochs: int
    train_mb_size: int

    def make_train_dataloader(self, *, drop_last: bool, **kwargs: Any) -> None:
        """Make the loader of stacked views.

        Memory is pinned where processes load for a GPU: without processes there is
        nobody to do it meanwhile, and views may be on the GPU already.

        Args:
            drop_last: Whether to drop an incomplete last batch.
            **kwargs: Arguments of Avalanche's ``make_train_dataloader``.

        Raises:
            ValueError: If the experience has fewer images than a batch, fewer batches
                than a step, or a single image in its last batch.
        """
        images = len(self.adapted_dataset)
        if drop_last and images < self.train_mb_size:
            raise ValueError(
                f"experience {self.experience.current_experience} has {images} "
                f"images, fewer than one batch of {self.train_mb_size}: lower "
                "train_mb_size, or train(..., drop_last=False)"
            )
        if not drop_last and images % self.train_mb_size == 1:
            raise ValueError(
                f"experience {self.experience.current_experience} has {images} "
                f"images, and its last batch of {self.train_mb_size} would have a "
                "single one: change train_mb_size, or leave drop_last=False out"
            )
        pin_memory = self.device.type == "cuda" and kwargs.get("num_workers", 0) > 0
        super().make_train_dataloader(  # type: ignore[misc]
            **{"pin_memory": pin_memory, **kwargs, "drop_last": drop_last}
        )
        batches = len(self.dataloader) * self.train_epochs
        if 0 < batches < self.accumulation.batches:
            raise ValueError(
                f"experience {self.experience.current_experience} has {batches} "
                f"batches in {self.train_epochs} epochs, fewer than a step of "
                f"accumulate={self.accumulation.batches}: lower accumulate"
            )

    def training_views(self, num_workers: int = 0) -> Iterator[Tensor]:
        """One pass over the experience's own views in random order.

        Samples that replay plugins add to the training loader are not among them.
        The random number generators are then as they were.

        Args:
            num_workers: Of the data loader.

        Yields:
            Views of a batch, shape (N, V, C, H, W), on the strategy's device; on
            several processes this one's part.
        """
        loader = sharded(
            DataLoader(
                self.adapted_dataset,
                batch_size=self.train_mb_size,
                shuffle=True,
                collate_fn=self.adapted_dataset.collate_fn,
                num_workers=num_workers,
            )
        )
        with preserve_random_state():
            for batch in loader:
                views = batch if isinstance(batch, Tensor) else batch[0]
                self.replica.take_batch(loader, len(views))
                yield views.to(self.device)
