"""Shards of batches: no image is lost, duplicated or missing."""

from itertools import chain

import pytest
import torch
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.benchmarks.utils.data_loader import (
    GroupBalancedDataLoader,
    ReplayDataLoader,
)
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from avalanche_pnr.distributed.sharding import ShardedLoader, shard_of
from avalanche_pnr.reproducibility.sampling import SeededLoader
from tests.distributed.processes import together


@pytest.mark.parametrize("images", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_shards_put_together_are_the_batch(images: int, processes: int) -> None:
    batch = list(range(100, 100 + images))
    shards = [shard_of(batch, k, processes) for k in range(processes)]
    assert len({len(shard) for shard in shards}) == 1
    assert len(shards[0]) > 0
    assert list(chain(*shards))[:images] == batch
    assert set(chain(*shards)) == set(batch)


def numbers(first: int, count: int) -> AvalancheDataset:
    values = torch.arange(first, first + count)
    return AvalancheDataset([TensorDataset(values, values)])


LOADERS = {
    "plain": lambda: DataLoader(numbers(0, 22), batch_size=5, shuffle=True),
    "incomplete batch dropped": lambda: DataLoader(
        numbers(0, 22), batch_size=5, shuffle=True, drop_last=True
    ),
    "with processes": lambda: DataLoader(
        numbers(0, 22),
        batch_size=5,
        shuffle=True,
        num_workers=2,
        persistent_workers=True,
    ),
    "replay": lambda: ReplayDataLoader(
        numbers(0, 22),
        numbers(100, 7),
        oversample_small_tasks=True,
        batch_size=5,
        batch_size_mem=3,
        shuffle=True,
    ),
    "balanced": lambda: GroupBalancedDataLoader(
        [numbers(0, 10), numbers(100, 11)],
        oversample_small_groups=True,
        batch_size=2,
        shuffle=True,
    ),
}


def read() -> dict[str, list[tuple[list[int], int]]]:
    """Batches of three passes, as far as this process has them, and their sizes."""
    found = {}
    for name, make in LOADERS.items():
        loader = SeededLoader(make(), seed=7)
        batches = []
        for epoch in range(3):
            loader.epoch, loader.skip = epoch, 1 if epoch == 2 else 0
            for batch in loader:
                size = getattr(loader._seeded, "images", len(batch[0]))
                batches.append((batch[0].tolist(), size))
        found[name] = batches
    return found


def test_processes_share_the_batches_of_one() -> None:
    alone = read()
    for processes in (2, 3):
        several = together(processes, read)
        for name, batches in alone.items():
            shards = [each[name] for each in several]
            assert len(shards[0]) == len(batches), name
            for (whole, size), *each in zip(batches, *shards, strict=True):
                assert {n for _, n in each} == {size}
                assert list(chain(*(p for p, _ in each)))[:size] == whole


def test_lengths_are_those_of_one_process() -> None:
    def lengths() -> list[int]:
        return [len(SeededLoader(make(), 0)._seeded) for make in LOADERS.values()]

    alone = lengths()
    assert together(2, lengths) == [alone] * 2


class Counting(IterableDataset[int]):
    def __iter__(self):
        return iter(range(6))


@pytest.mark.parametrize(
    "loader", [DataLoader(Counting()), DataLoader([1, 2], batch_size=None), [1, 2]]
)
def test_loaders_without_batches_of_indices_are_refused(loader: object) -> None:
    with pytest.raises(TypeError, match="does not draw batches of indices"):
        ShardedLoader(loader)
