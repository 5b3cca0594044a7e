"""Each process's shard of every batch."""

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from avalanche.benchmarks.utils.data_loader import (
    GroupBalancedDataLoader,
    MultiDatasetDataLoader,
)
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from avalanche_pnr.distributed.collectives import gather_rows, rank, world_size


class ShardedBatches:
    """This process's shard of each batch of a sampler, which all processes draw.

    Shards are of equal size and follow each other. A batch that does not divide evenly
    is padded with its own first images, which come last in the last shards, so that no
    process is without an image.

    Args:
        batches: Batches of indices, the same in every process.

    Attributes:
        sizes: Numbers of images in the batches that were drawn and not yet read.
    """

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self.sizes: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches:
            self.sizes.append(len(batch))
            yield shard_of(batch, rank(), world_size())


def shard_of(batch: Sequence[int], process: int, processes: int) -> list[int]:
    """Return one process's shard of a batch of indices."""
    size = -(-len(batch) // processes)
    rows = range(process * size, (process + 1) * size)
    return [batch[row if row < len(batch) else row % len(batch)] for row in rows]


class ShardedLoader:
    """Reads this process's shard of each batch of a loader.

    Args:
        loader: Loader that is the same in every process, random numbers included.

    Attributes:
        images: Number of images in the whole last batch, without padding.

    Raises:
        TypeError: If the loader does not draw batches of indices.
    """

    def __init__(self, loader: Any) -> None:
        if (
            not isinstance(loader, DataLoader)
            or isinstance(loader.dataset, IterableDataset)
            or loader.batch_sampler is None
        ):
            raise TypeError(
                f"{type(loader).__name__} does not draw batches of indices, which "
                "several processes could share: use PyTorch's DataLoader of a data set "
                "with indices, or train on one process"
            )
        self.images = 0
        self._batches = ShardedBatches(loader.batch_sampler)
        self._loader = copy.copy(loader)
        # A DataLoader refuses another sampler; but this one has not been read from yet.
        vars(self._loader)["batch_sampler"] = self._batches

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        self._batches.sizes.clear()
        for batch in self._loader:
            self.images = self._batches.sizes.popleft()
            yield batch


def sharded(loader: Any) -> Any:
    """Let a loader read this process's shards; on one process it stays as it is."""
    return loader if world_size() == 1 else ShardedLoader(loader)


def whole_batch(loader: Any, rows: Tensor) -> Tensor:
    """Gather the rows of the last whole batch from those of each process's shard.

    Called by all processes; on one process, the rows themselves.
    """
    return rows if world_size() == 1 else gather_rows(rows)[: loader.images]


def plain_loader(loader: Any) -> Any:
    """Return the PyTorch loader inside one of Avalanche's, or the loader itself.

    On several processes Avalanche's loaders would divide the data set themselves, in a
    random order that no other process knows; PyTorch's read all of it.
    """
    if not isinstance(loader, MultiDatasetDataLoader):
        return loader
    if loader.distributed_sampling:
        loader.distributed_sampling = False
        if isinstance(loader, GroupBalancedDataLoader):
            lengths = [len(each) for each in _samplers(loader)]
            loader.termination_dataset = lengths.index(max(lengths))
        loader.n_iterations = len(_samplers(loader)[loader.termination_dataset])
    return loader._get_loader()


def _samplers(loader: MultiDatasetDataLoader) -> list[Any]:
    samplers: list[Any] = loader._create_samplers(
        loader.datasets, loader.batch_sizes, False, loader.loader_kwargs
    )
    return samplers
