"""Batches are functions of seed, epoch and index, in whatever process they are made."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.benchmarks.utils.data_loader import ReplayDataLoader
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from avalanche_pnr.reproducibility.random_state import (
    RandomStream,
    host_states,
    random_state,
    set_random_state,
)
from avalanche_pnr.reproducibility.sampling import SeededLoader


class Noise(Dataset[Any]):
    """Samples whose values come from all three generators."""

    targets = (0,) * 20

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> Tensor:
        drawn = [float(torch.rand(())), np.random.rand(), random.random()]  # noqa: NPY002
        return torch.tensor([index, *drawn], dtype=torch.float64)


def plain(workers: int, **options: Any) -> DataLoader[Any]:
    return DataLoader(Noise(), 6, shuffle=True, num_workers=workers, **options)


def replay(workers: int) -> ReplayDataLoader:
    # The memory is drawn from again and again within an epoch.
    data, memory = (AvalancheDataset([Noise()]).subset(range(n)) for n in (20, 5))
    sizes = {"batch_size": 4, "batch_size_mem": 3, "oversample_small_tasks": True}
    return ReplayDataLoader(data, memory, shuffle=True, num_workers=workers, **sizes)


def epochs(loader: Any, seed: int = 3, count: int = 2) -> list[list[Any]]:
    seeded = SeededLoader(loader, seed)
    found = []
    for epoch in range(count):
        seeded.epoch = epoch
        found.append([batch.tolist() for batch in seeded])
    return found


@pytest.mark.parametrize("make", [plain, replay])
def test_batches_are_the_same_for_any_number_of_workers(make: Any) -> None:
    here = epochs(make(0))
    torch.manual_seed(1)  # what is drawn elsewhere makes no difference
    assert epochs(make(2)) == here
    assert epochs(make(0), seed=4) != here
    assert here[0] != here[1]


def test_workers_that_stay_see_the_next_epoch() -> None:
    assert epochs(plain(2, persistent_workers=True)) == epochs(plain(0))


def test_a_sample_depends_on_its_index_and_not_on_its_place() -> None:
    def samples(shuffle: bool) -> list[Any]:
        [batches] = epochs(DataLoader(Noise(), 6, shuffle=shuffle), count=1)
        return [sample for batch in batches for sample in batch]

    shuffled = samples(shuffle=True)
    assert sorted(shuffled) == samples(shuffle=False) != shuffled
    drawn = [value for _, *values in shuffled for value in values]
    assert len(set(drawn)) == 60


def test_the_global_generators_are_left_alone() -> None:
    before = random_state()
    seeded = iter(SeededLoader(plain(0), 3))
    next(seeded)
    after = random_state()
    assert torch.equal(before["torch"], after["torch"])
    assert before["python"] == after["python"]
    assert torch.equal(before["numpy"][1], after["numpy"][1])


def test_an_epoch_goes_on_where_it_was_left() -> None:
    [whole] = epochs(plain(0), count=1)
    seeded = SeededLoader(plain(0), 3)
    seeded.skip = 2
    assert [batch.tolist() for batch in seeded] == whole[2:]
    assert [batch.tolist() for batch in seeded] == whole  # the next pass is whole


def test_other_loaders_are_read_as_they_are() -> None:
    batches = [torch.zeros(2), torch.ones(2)]
    seeded = SeededLoader(batches, 3)
    assert len(seeded) == 2
    assert all(map(torch.equal, seeded, batches))


def test_it_passes_for_the_loader_that_it_reads() -> None:
    loader = DataLoader(TensorDataset(torch.zeros(8)), 2)
    assert SeededLoader(loader, 0).batch_size == 2


def test_a_stream_goes_on_between_its_uses() -> None:
    def draws(breaks: bool) -> list[Any]:
        stream, found = RandomStream(5), []
        for _ in range(3):
            with stream:
                found.append((torch.rand(2).tolist(), np.random.rand()))  # noqa: NPY002
            if breaks:
                torch.rand(7)
        return found

    assert draws(breaks=True) == draws(breaks=False)
    assert len({str(each) for each in draws(breaks=False)}) == 3


def test_a_state_of_all_generators_is_plain_and_restores_them() -> None:
    kept = random_state()
    first = torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()  # noqa: NPY002
    np.random.normal()  # noqa: NPY002  (the second of a pair is kept)
    set_random_state(kept)
    second = torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()  # noqa: NPY002
    assert first == second
    assert host_states()[2] == random.getstate()
