"""A small world: few digits, five experiences, a network of one convolution."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import nn
from torchvision import transforms

from avalanche_pnr import MoCoV2Plus, SelfSupervised, SimCLR, TwoViews
from avalanche_pnr.benchmarks import ImageData, class_incremental, load_digits
from avalanche_pnr.methods import SelfSupervisedMethod

Strategy = Callable[..., SelfSupervised]


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


def tiny_simclr(**options: Any) -> SimCLR:
    return SimCLR(tiny_backbone(), hidden_dim=16, projection_dim=8, **options)


METHODS: dict[str, Callable[..., SelfSupervisedMethod]] = {
    "moco": tiny_moco,
    "simclr": tiny_simclr,
}


@pytest.fixture(scope="session")
def few_digits() -> ImageData:
    data = load_digits()
    train, test = (
        np.concatenate(
            [np.flatnonzero(np.array(part.targets) == c)[:n] for c in range(10)]
        )
        for part, n in ((data.train, 24), (data.test, 6))
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
        experiences=5,
        train_transform=TwoViews(crop),
        eval_transform=transforms.ToTensor(),
    )


@pytest.fixture
def make_strategy() -> Strategy:
    """A strategy with batches of 16 and one epoch; options as of SelfSupervised."""

    def make(
        model: SelfSupervisedMethod | None = None, seed: int = 0, **options: Any
    ) -> SelfSupervised:
        torch.manual_seed(seed)
        model = tiny_moco() if model is None else model
        optimizer = options.pop("optimizer", None) or torch.optim.SGD(
            model.parameters(), lr=0.05, momentum=0.9
        )
        options = {"train_mb_size": 16, "evaluator": None, **options}
        return SelfSupervised(model=model, optimizer=optimizer, **options)

    return make
