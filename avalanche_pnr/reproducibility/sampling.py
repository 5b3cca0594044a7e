"""Batches whose order and views depend on seed, epoch and index alone."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from avalanche_pnr.distributed.sharding import plain_loader, sharded
from avalanche_pnr.reproducibility.deferred import awaits_batch
from avalanche_pnr.reproducibility.random_state import (
    RandomStream,
    host_states,
    seed_host,
    set_host_states,
)

_END = object()


class SeededSamples(Dataset[Any]):
    """A data set whose random transforms depend on (seed, epoch, index) alone.

    So a sample is the same whichever process makes it, and in whichever order.

    Args:
        dataset: The data set.
        key: Seed and epoch, int64 of shape (2,), in shared memory: processes that
            load samples see its changes.
    """

    def __init__(self, dataset: Any, key: Tensor) -> None:
        self._dataset = dataset
        self._key = key
        self.collate_fn = getattr(dataset, "collate_fn", None)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Make the samples of a batch and restore the generators."""
        kept, key = host_states(), self._key.tolist()
        try:
            first = self._seeded(key, indices[0])
            if awaits_batch(first):  # whose views the first image's seed draws
                return [first, *(self._dataset[index] for index in indices[1:])]
            return [first, *(self._seeded(key, index) for index in indices[1:])]
        finally:
            set_host_states(kept)

    def _seeded(self, key: list[int], index: int) -> Any:
        seed_host(*key, index)
        return self._dataset[index]


class SeededLoader:
    """Reads the batches of another loader with random numbers of its own each epoch.

    Samples of PyTorch's and Avalanche's loaders are seeded, too: their batches do not
    depend on the number of workers, and on several processes each reads its shard. Of
    any other loader only its own draws are seeded. The global generators are restored.

    Args:
        loader: Any loader, whose data set and samplers are used.
        seed: Seed of all epochs.

    Attributes:
        epoch: Index of the next pass.
        skip: Number of batches that the next pass reads and leaves out.
    """

    def __init__(self, loader: Any, seed: int) -> None:
        self.loader = loader
        self.epoch = 0
        self.skip = 0
        key: Tensor = torch.tensor([seed, 0])
        self._key = key.share_memory_()  # type: ignore[no-untyped-call]
        self._seeded = _with_seeded_samples(loader, self._key)

    def __len__(self) -> int:
        return len(self.loader)

    @property
    def images(self) -> int:
        """Number of images in the whole last batch, on several processes."""
        images: int = self._seeded.images
        return images

    def __getattr__(self, name: str) -> Any:
        if name == "loader":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator[Any]:
        self._key[1] = self.epoch
        stream = RandomStream(*self._key.tolist())
        skip, self.skip = self.skip, 0
        with stream:
            batches = iter(self._seeded)
        while True:
            with stream:
                batch = next(batches, _END)
            if batch is _END:
                return
            if skip:
                skip -= 1
            else:
                yield batch


def _with_seeded_samples(loader: Any, key: Tensor) -> Any:
    loader = plain_loader(loader)
    if not isinstance(loader, DataLoader) or isinstance(
        loader.dataset, IterableDataset
    ):
        return sharded(loader)
    seeded = copy.copy(loader)
    # A DataLoader refuses another data set; but this one has not been read from yet.
    vars(seeded)["dataset"] = SeededSamples(loader.dataset, key)
    # Seeds of workers are of no use here: samplers alone draw from the epoch's stream.
    seeded.generator = torch.Generator()
    return sharded(seeded)
