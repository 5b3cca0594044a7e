from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.plugins import EvaluationPlugin
from torch import nn
from torchvision import transforms

from avalanche_pnr import SelfSupervised, SimCLR, TwoViews, class_incremental
from avalanche_pnr.benchmarks import ImageData
from tests.conftest import tiny_backbone

CLASSES, SIZE = 6, 8


def make_backbone() -> nn.Sequential:
    torch.manual_seed(0)
    return tiny_backbone()


@pytest.fixture
def backbone() -> nn.Sequential:
    return make_backbone()


def _images(each: int, seed: int) -> tuple[Any, Any]:
    """Noisy images whose mean colour hints at their class."""
    rng = np.random.default_rng(seed)
    colours = np.random.default_rng(0).integers(90, 166, (CLASSES, 1, 1, 3))
    y = np.arange(each * CLASSES) % CLASSES
    x = colours[y] + rng.normal(0, 25, (len(y), 1, 1, 3))
    x = x + rng.normal(0, 25, (len(y), SIZE, SIZE, 3))
    return x.clip(0, 255).astype(np.uint8), y


@pytest.fixture(scope="session")
def benchmark() -> CLScenario:
    """Three experiences of two classes: 8 training and 5 test images a class."""
    view = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, scale=(0.5, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
        ]
    )
    return class_incremental(
        ImageData.from_arrays("noise", _images(8, seed=1), _images(5, seed=2)),
        experiences=3,
        train_transform=TwoViews(view),
        eval_transform=transforms.ToTensor(),
    )


MakeStrategy = Callable[..., SelfSupervised]


@pytest.fixture
def make_strategy() -> MakeStrategy:
    """A strategy of SimCLR on the tiny backbone; torch is seeded by the way."""

    def make(
        plugins: list[Any], *metrics: Any, loggers: Any = (), **kwargs: Any
    ) -> SelfSupervised:
        model = SimCLR(
            make_backbone(),
            hidden_dim=16,
            projection_dim=8,
            image_shape=(3, SIZE, SIZE),
        )
        return SelfSupervised(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
            train_mb_size=8,
            eval_mb_size=7,
            plugins=plugins,
            evaluator=EvaluationPlugin(*metrics, loggers=list(loggers)),
            **kwargs,
        )

    return make
