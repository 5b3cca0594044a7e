"""Each process's part of every batch."""

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
    """The part of this process in the batches of a sampler, which all processes draw.

    The parts of the processes are equal and follow each other. What a batch lacks for
    that is filled up by its own first images, which are at the end of the last parts:
    so no process is without an image.

    Args:
        batches: Batches of indices, the same in every process.

    Attributes:
        sizes: Images of the whole batches that were drawn, to be taken out.
    """

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self.sizes: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches:
            self.sizes.append(len(batch))
            yield part_of(batch, rank(), world_size())


def part_of(batch: Sequence[int], process: int, processes: int) -> list[int]:
    """One process's part of a batch of indices."""
    size = -(-len(batch) // processes)
    rows = range(process * size, (process + 1) * size)
    return [batch[row if row < len(batch) else row % len(batch)] for row in rows]


class ShardedLoader:
    """Reads the part of this process in the batches of a loader.

    Args:
        loader: The same in every process, with the same random numbers.

    Attributes:
        images: Images in the whole of the last batch, without those that fill it up.

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
    """The loader of this process's parts; the loader itself if there is but one."""
    return loader if world_size() == 1 else ShardedLoader(loader)


def whole_batch(loader: Any, rows: Tensor) -> Tensor:
    """Rows of the last batch of a sharded loader, of those of this process's part.

    Called by all processes; with one, the rows themselves.
    """
    return rows if world_size() == 1 else gather_rows(rows)[: loader.images]


def plain_loader(loader: Any) -> Any:
    """The loader of PyTorch that one of Avalanche's reads with, or the loader itself.

    On several processes Avalanche's loaders would share out the data set, each of its
    parts by a random order that no other process knows; these read all of it.
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
