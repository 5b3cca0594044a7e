"""A small world: few digits, five experiences, a network of one convolution."""

import gc
import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchvision import transforms

from avalanche_pnr import (
    BYOL,
    BarlowTwins,
    MoCoV2Plus,
    MoCoV3,
    SelfSupervised,
    SimCLR,
    TwoViews,
    VICReg,
)
from avalanche_pnr.benchmarks import ImageData, class_incremental, load_digits
from avalanche_pnr.methods import SelfSupervisedMethod

# The tests run in as many processes as there are cores; threads would fight for them.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)
# In its first backward pass a process starts a thread for each device that PyTorch
# knows by then, and its forks cannot train. Fake CUDA tensors would be such a device.
torch.ones(1, requires_grad=True).sum().backward()

Strategy = Callable[..., SelfSupervised]

VIEWS = torch.rand(6, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
"""A batch of stacked views."""


def tiny_backbone() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def tiny_moco(**options: Any) -> MoCoV2Plus:
    options = {"hidden_dim": 16, "projection_dim": 8, "queue_length": 48, **options}
    return MoCoV2Plus(tiny_backbone(), **options)


def tiny_mocov3(**options: Any) -> MoCoV3:
    return MoCoV3(tiny_backbone(), hidden_dim=16, projection_dim=8, **options)


def tiny_simclr(**options: Any) -> SimCLR:
    return SimCLR(tiny_backbone(), hidden_dim=16, projection_dim=8, **options)


def tiny_barlow_twins(**options: Any) -> BarlowTwins:
    return BarlowTwins(tiny_backbone(), hidden_dim=16, projection_dim=8, **options)


def tiny_byol(**options: Any) -> BYOL:
    sizes = {"hidden_dim": 16, "projection_dim": 8, "predictor_hidden_dim": 12}
    return BYOL(tiny_backbone(), **{**sizes, **options})


def tiny_vicreg(**options: Any) -> VICReg:
    return VICReg(tiny_backbone(), hidden_dim=16, projection_dim=8, **options)


METHODS: dict[str, Callable[..., SelfSupervisedMethod]] = {
    "moco": tiny_moco,
    "mocov3": tiny_mocov3,
    "simclr": tiny_simclr,
    "barlow": tiny_barlow_twins,
    "byol": tiny_byol,
    "vicreg": tiny_vicreg,
}
CONTRASTIVE = ("moco", "mocov3", "simclr")
WEIGHTED = ("barlow", "byol", "vicreg")
"""Methods that weigh their two losses about the past."""


def benchmark_of_views(*experiences: Tensor) -> CLScenario:
    """A stream whose samples are fixed views, the same at each pass.

    Args:
        experiences: Views of one experience each, shape (M, 2, C, H, W).
    """
    datasets = [
        AvalancheDataset([TensorDataset(views, torch.zeros(len(views)))])
        for views in experiences
    ]
    return benchmark_from_datasets(train=datasets)


def pytest_collection_finish() -> None:
    """What was imported stays: to look through it for garbage again and again is vain.

    It is more than a million objects, and forked processes would copy their pages.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same numbers, alone or after others."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def few_digits() -> ImageData:
    return digits_of_each_class(24, 6)


def digits_of_each_class(train_images: int, test_images: int) -> ImageData:
    data = load_digits()
    train, test = (
        np.concatenate(
            [np.flatnonzero(np.array(part.targets) == c)[:n] for c in range(10)]
        )
        for part, n in ((data.train, train_images), (data.test, test_images))
    )
    labels = np.array(data.train.targets), np.array(data.test.targets)
    return ImageData.from_arrays(
        "few digits",
        (data.train.x[train], labels[0][train]),
        (data.test.x[test], labels[1][test]),
    )


@pytest.fixture
def benchmark_of_digits(few_digits: ImageData) -> CLScenario:
    """Five experiences of 48 images, two random crops of each."""
    crop = transforms.Compose(
        [transforms.RandomResizedCrop(8, (0.5, 1.0)), transforms.ToTensor()]
    )
    return class_incremental(
        few_digits,
        n_experiences=5,
        train_transform=TwoViews(crop),
        eval_transform=transforms.ToTensor(),
    )


@pytest.fixture
def make_strategy() -> Strategy:
    """A strategy with batches of 16 and one epoch; options as of SelfSupervised."""

    def make(
        model: SelfSupervisedMethod | None = None,
        seed: int = 0,
        lr: float = 0.05,
        **options: Any,
    ) -> SelfSupervised:
        torch.manual_seed(seed)
        model = tiny_moco() if model is None else model
        optimizer = options.pop("optimizer", None) or torch.optim.SGD(
            model.parameters(), lr=lr, momentum=0.9
        )
        options = {"train_mb_size": 16, "evaluator": None, **options}
        return SelfSupervised(model=model, optimizer=optimizer, **options)

    return make
