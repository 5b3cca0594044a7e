from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.plugins import EvaluationPlugin
from torch import nn
from torchvision import transforms

from avalanche_pnr import (
    KNNProbe,
    LinearProbe,
    SelfSupervised,
    SimCLR,
    TwoViews,
    class_incremental,
)
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.evaluation import FeatureProbe, probe_accuracy
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


VIEW = transforms.Compose(
    [
        transforms.RandomResizedCrop(SIZE, scale=(0.5, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
    ]
)
TRANSFORMS: dict[str, Any] = {
    "train_transform": TwoViews(VIEW),
    "eval_transform": transforms.ToTensor(),
}


@pytest.fixture(scope="session")
def image_data() -> ImageData:
    """Six classes: 8 training and 5 test images of each."""
    return ImageData.from_arrays("noise", _images(8, seed=1), _images(5, seed=2))


@pytest.fixture(scope="session")
def benchmark(image_data: ImageData) -> CLScenario:
    """Three experiences of two classes."""
    return class_incremental(image_data, n_experiences=3, **TRANSFORMS)


MakeStrategy = Callable[..., SelfSupervised]


@pytest.fixture(scope="session")
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


def quick_probes() -> list[FeatureProbe]:
    return [LinearProbe([0.1], epochs=10), KNNProbe(k=5)]


def standalone(
    strategy: SelfSupervised, benchmark: CLScenario, stream: Any
) -> dict[str, list[float]]:
    """Accuracies of the quick probes by experience, without Avalanche's evaluation."""
    return probe_accuracy(
        strategy.model, benchmark.train_stream, stream, quick_probes()
    )


def by_experience(metrics: dict[str, Any], metric: str, stream: str) -> list[float]:
    """Values of a metric, ``"Linear_Acc"`` say, for each experience of a stream."""
    prefix = f"{metric}_Exp/eval_phase/{stream}_stream/"
    values = {name: value for name, value in metrics.items() if name.startswith(prefix)}
    return [values[name] for name in sorted(values)]
