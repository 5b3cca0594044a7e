"""The base class of plugins that draw from a memory."""

from collections.abc import Iterator
from itertools import chain, count, islice
from typing import Any

import torch
from avalanche.benchmarks.utils import AvalancheDataset
from torch import Tensor
from torch.utils.data import DataLoader

from avalanche_pnr.plugins.base import SelfSupervisedPlugin
from avalanche_pnr.plugins.memory import Memory
from avalanche_pnr.plugins.protocols import Strategy
from avalanche_pnr.reproducibility.random_state import RandomStream
from avalanche_pnr.reproducibility.sampling import SeededLoader


class MemoryPlugin(SelfSupervisedPlugin):
    """Draws a batch of views of remembered images for each current batch.

    Images enter the memory when their experience ends; on online streams, when each
    sub-experience does. They pass the train transform anew whenever they are drawn, all
    different within a batch. Batches and views are functions of the strategy's seed,
    of epoch and index, like those of the experience.

    Args:
        mem_size: Largest number of images in the memory.
        batch_size_mem: Number of images drawn for a batch; ``None`` for the strategy's
            ``train_mb_size``; all of the memory where it holds less.

    Raises:
        ValueError: If one of them is below 1.
    """

    def __init__(
        self, *, mem_size: int = 256, batch_size_mem: int | None = None
    ) -> None:
        super().__init__()
        if batch_size_mem is not None and batch_size_mem < 1:
            raise ValueError(f"batch_size_mem must be 1 or more, got {batch_size_mem}")
        self.memory = Memory(mem_size)
        self.batch_size_mem = batch_size_mem
        self._loader: SeededLoader | None = None
        self._batches: Iterator[Any] | None = None

    def before_training_epoch(
        self, strategy: Strategy, num_workers: int = 0, **kwargs: Any
    ) -> None:
        """Prepare one batch for each batch of the epoch."""
        rows = len(self.memory)
        if rows:
            size = min(self.batch_size_mem or strategy.train_mb_size, rows)
            epoch = strategy.clock.train_exp_epochs
            seed = strategy.seed + 1 + strategy.plugins.index(self)  # one's own
            with RandomStream(seed, epoch):
                order = _order(rows, size, len(strategy.dataloader))
            dataset = self.remembered().subset(order)
            loader = DataLoader(
                dataset,
                batch_size=size,
                collate_fn=dataset.collate_fn,
                num_workers=num_workers,
            )
            self._loader = SeededLoader(loader, seed)
            self._loader.epoch = epoch
            self._batches = None

    def remembered(self) -> AvalancheDataset:
        """Return the remembered samples ``(views, ...)`` in the order of the memory."""
        return self.memory.dataset

    def draw(self, strategy: Strategy) -> list[Tensor] | None:
        """Draw the next batch, ``[views (M, V, ...), ...]``, if there is one."""
        if self._loader is None:
            return None
        if self._batches is None:
            self._loader.skip = strategy.clock.train_epoch_iterations
            self._batches = iter(self._loader)
        return [part.to(strategy.device) for part in next(self._batches)]

    def after_training_epoch(self, strategy: Strategy, **kwargs: Any) -> None:
        """Release the loader."""
        self._loader = self._batches = None

    def after_training_exp(self, strategy: Strategy, **kwargs: Any) -> None:
        """Add the images of the experience to the memory."""
        self.memory.add(strategy.experience.dataset)


def _order(rows: int, size: int, batches: int) -> list[int]:
    """Rows for batches without repeats, each cut from one permutation."""
    full = rows - rows % size
    permutations = (torch.randperm(rows)[:full].tolist() for _ in count())
    return list(islice(chain.from_iterable(permutations), batches * size))
