"""What a batch may be."""

import copy
from typing import Any

import pytest
import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from avalanche_pnr import PNRPlugin


class BareImages(Dataset[Tensor]):
    """Unlabelled samples: a tensor of views, no tuple."""

    def __init__(self) -> None:
        self.views = torch.rand(40, 2, 3, 8, 8)

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> Tensor:
        return self.views[index]


def unlabelled(kind: str) -> Dataset[Any]:
    if kind == "bare":
        return BareImages()
    return TensorDataset(torch.rand(40, 2, 3, 8, 8), torch.full((40,), -1))


@pytest.mark.parametrize("kind", ["bare", "minus one"])
def test_unlabelled_streams_train(kind: str, make_strategy: Any) -> None:
    datasets = [AvalancheDataset([unlabelled(kind)]) for _ in range(3)]
    benchmark = benchmark_from_datasets(train=datasets)
    strategy = make_strategy(plugins=[PNRPlugin()])
    start = copy.deepcopy(strategy.model.state_dict())
    for experience in benchmark.train_stream:
        strategy.train(experience)
    weight = "backbone.0.weight"
    assert not torch.equal(strategy.model.state_dict()[weight], start[weight])
    assert strategy.clock.train_iterations == 6


def test_the_dataset_s_own_collate_function_is_used(make_strategy: Any) -> None:
    called = []

    def collate(samples: list[Any]) -> list[Tensor]:
        called.append(len(samples))
        return [torch.stack([sample[0] for sample in samples])]

    dataset = AvalancheDataset([unlabelled("minus one")], collate_fn=collate)
    benchmark = benchmark_from_datasets(train=[dataset])
    make_strategy().train(benchmark.train_stream[0])
    assert called == [16, 16]


def test_task_labels_are_there_or_asked_for_in_vain(make_strategy: Any) -> None:
    strategy = make_strategy()
    strategy.mbatch = [torch.zeros(2), torch.zeros(2)]
    with pytest.raises(ValueError, match="no task labels"):
        _ = strategy.mb_task_id
    strategy.mbatch.append(torch.ones(2))
    assert torch.equal(strategy.mb_task_id, torch.ones(2))


@pytest.mark.parametrize(
    "batch",
    [
        torch.zeros(4, 3, 8, 8),
        torch.zeros(4, 1, 3, 8, 8),
        torch.zeros(4, 3, 3, 8, 8),
        [torch.zeros(4, 3, 8, 8)] * 2,
    ],
    ids=["images", "one view", "three views", "list"],
)
def test_batches_without_stacked_views_are_refused(
    batch: Any, make_strategy: Any
) -> None:
    strategy = make_strategy()
    strategy.mbatch, strategy.is_training = [batch, torch.zeros(4)], True
    with pytest.raises(ValueError, match="one tensor of two stacked views"):
        strategy._unpack_minibatch()


def test_one_view_is_refused_before_the_first_step(make_strategy: Any) -> None:
    images = TensorDataset(torch.rand(40, 3, 8, 8), torch.zeros(40))
    benchmark = benchmark_from_datasets(train=[AvalancheDataset([images])])
    strategy = make_strategy()
    with pytest.raises(ValueError, match=r"got \(16, 3, 8, 8\).*TwoViews"):
        strategy.train(benchmark.train_stream[0])
    assert strategy.clock.train_iterations == 0
