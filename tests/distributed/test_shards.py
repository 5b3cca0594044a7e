"""Training on tar shards: the same images, whoever reads them."""

import tarfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.plugins import ReplayPlugin, SupervisedPlugin
from torch import Tensor
from torchvision import transforms

from avalanche_pnr import PNRPlugin, SelfSupervised, TwoViews
from avalanche_pnr.benchmarks import ImageData, data_incremental, load_webdataset
from avalanche_pnr.distributed.collectives import rank
from tests.benchmarks.datasets.test_webdataset import greys
from tests.benchmarks.shards import png, write, write_greys
from tests.conftest import Strategy, tiny_simclr
from tests.distributed.processes import together
from tests.distributed.test_strategy import seeded
from tests.training.continued import continued, whole

pytest.importorskip("webdataset")

EXPERIENCES, EPOCHS, SHARDS, IMAGES = 3, 2, 6, 7
PER_EXPERIENCE = SHARDS * IMAGES // EXPERIENCES


@pytest.fixture
def shards(tmp_path: Path, few_digits: ImageData) -> CLScenario:
    """Three experiences of 14 images, two shards each; their red is their number."""
    rng, numbers = np.random.default_rng(0), iter(range(SHARDS * IMAGES))

    def image() -> bytes:
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        pixels[..., 0] = next(numbers)
        return png(pixels)

    for number in range(SHARDS):
        samples = [{"png": image()} for _ in range(IMAGES)]
        write(tmp_path / f"train-{number}.tar", samples)
    crop = transforms.Compose(
        [transforms.RandomResizedCrop(8, (0.5, 1.0)), transforms.ToTensor()]
    )
    return data_incremental(
        load_webdataset(str(tmp_path / "train-{0..5}.tar"), few_digits),
        n_experiences=EXPERIENCES,
        seed=None,
        train_transform=TwoViews(crop),
        eval_transform=transforms.ToTensor(),
    )


class Numbers(SupervisedPlugin):
    """Notes the numbers of the images of each batch; continued like any plugin."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_distributed = True
        self.batches: list[list[int]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"batches": self.batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batches = state["batches"]

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        red = strategy.mb_x[:, 0, 0].mean((1, 2)) * 255
        self.batches.append(red.round().int().tolist())


def trainer(make_strategy: Strategy, plugins: Any) -> Callable[[], SelfSupervised]:
    return lambda: make_strategy(
        seeded(tiny_simclr), plugins=plugins(), train_epochs=EPOCHS, train_mb_size=7
    )


def trained(
    make_strategy: Strategy, stream: Any, workers: int, folder: Path | None = None
) -> tuple[list[list[int]], dict[str, Tensor]]:
    """Numbers of each batch, and the weights in the end; interrupted in a folder."""
    make = trainer(make_strategy, lambda: [Numbers()])
    if folder is None:
        strategy = whole(make, stream, num_workers=workers)
    else:
        path = folder / f"state{rank()}.pt"
        strategy = continued(make, stream, path, [3, 6 + 1], num_workers=workers)
    (numbers,) = (each for each in strategy.plugins if isinstance(each, Numbers))
    return numbers.batches, strategy.model.state_dict()


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_each_image_is_read_once_an_epoch_in_an_order_of_its_own(
    shards: CLScenario, make_strategy: Strategy
) -> None:
    batches, _ = trained(make_strategy, shards.train_stream, workers=0)
    epochs = [batches[n] + batches[n + 1] for n in range(0, len(batches), 2)]
    assert len(epochs) == EXPERIENCES * EPOCHS
    for number, epoch in enumerate(epochs):
        first = number // EPOCHS * PER_EXPERIENCE
        assert sorted(epoch) == list(range(first, first + PER_EXPERIENCE))
    orders = {tuple(np.array(epoch) % PER_EXPERIENCE) for epoch in epochs}
    assert len(orders) == len(epochs)


@pytest.mark.parametrize("workers", [0, 2])
def test_processes_and_workers_and_breaks_make_no_difference(
    workers: int, shards: CLScenario, make_strategy: Strategy, tmp_path: Path
) -> None:
    stream = shards.train_stream
    batches, weights = trained(make_strategy, stream, workers=0)
    broken, weights_of_broken = trained(make_strategy, stream, workers, tmp_path)
    assert broken == batches
    assert same(weights_of_broken, weights)
    for folder in (None, tmp_path):
        several = together(2, trained, make_strategy, stream, workers, folder)
        parts = [each for each, _ in several]
        assert len(parts[0]) == len(batches)
        for batch, *each in zip(batches, *parts, strict=True):
            assert list(chain(*each))[: len(batch)] == batch
        assert same(several[0][1], several[1][1])
        torch.testing.assert_close(several[0][1], weights, rtol=1e-3, atol=1e-5)


def test_one_process_indexes_for_all(tmp_path: Path, few_digits: ImageData) -> None:
    path, index = write_greys(tmp_path, 3, 2), str(tmp_path / "index.npz")

    def load() -> list[int]:
        if rank() == 1:  # which reads no header
            tarfile.open = None
        return greys(load_webdataset(path, few_digits, index=index))

    assert together(2, load) == [list(range(6))] * 2
    (tmp_path / "train-0001.tar").unlink()
    for error in together(2, load_webdataset, path, few_digits):
        assert "train-0001.tar" in str(error)


def test_pnr_and_replay_end_as_without_a_break(
    shards: CLScenario, make_strategy: Strategy, tmp_path: Path
) -> None:
    def plugins() -> list[Any]:
        return [PNRPlugin(predictor_hidden_dim=16), ReplayPlugin(mem_size=9)]

    make, stream = trainer(make_strategy, plugins), shards.train_stream
    unbroken = whole(make, stream, num_workers=2)
    broken = continued(make, stream, tmp_path / "state.pt", [4 + 3])
    assert same(unbroken.model.state_dict(), broken.model.state_dict())
