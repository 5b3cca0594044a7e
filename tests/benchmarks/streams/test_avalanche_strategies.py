"""Avalanche's own strategies on the streams: what they see are stacked views."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.plugins import ReplayPlugin
from avalanche.training.supervised import Cumulative, JointTraining, Naive
from torch import Tensor, nn

from avalanche_pnr.benchmarks import (
    ImageData,
    class_incremental,
    data_incremental,
    domain_incremental,
)
from tests.benchmarks.conftest import CLASSES, TRAIN_IMAGES, TRANSFORMS

Stream = Callable[..., CLScenario]

STREAMS = [
    pytest.param(partial(class_incremental, n_experiences=3), id="class"),
    pytest.param(partial(data_incremental, n_experiences=3), id="data"),
    pytest.param(domain_incremental, id="domain"),
]


class FirstView(nn.Module):
    """Classifies the first view in training, the image in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(3, CLASSES)
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            assert x.shape[1:3] == (2, 3)
            self.seen += len(x)
            x = x[:, 0]
        return self.classifier(x.mean(dim=(2, 3)))


def _options(model: nn.Module, **options: Any) -> dict[str, Any]:
    return {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "criterion": nn.CrossEntropyLoss(),
        "train_mb_size": 10,
        "evaluator": None,
        **options,
    }


@pytest.fixture(params=STREAMS)
def benchmark(request: pytest.FixtureRequest, data: ImageData) -> CLScenario:
    return request.param(data, **TRANSFORMS)


def test_naive_sees_every_image_once(benchmark: CLScenario) -> None:
    model = FirstView()
    strategy = Naive(**_options(model))
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
    assert model.seen == TRAIN_IMAGES


def test_replay_adds_what_it_stored(benchmark: CLScenario) -> None:
    model = FirstView()
    strategy = Naive(**_options(model, plugins=[ReplayPlugin(mem_size=10)]))
    for experience in benchmark.train_stream:
        strategy.train(experience)
    assert model.seen > TRAIN_IMAGES


def test_cumulative_sees_all_experiences_so_far(benchmark: CLScenario) -> None:
    model = FirstView()
    strategy = Cumulative(**_options(model))
    sizes = [len(experience.dataset) for experience in benchmark.train_stream]
    for experience in benchmark.train_stream:
        strategy.train(experience)
    assert model.seen == 3 * sizes[0] + 2 * sizes[1] + sizes[2]


def test_joint_training_sees_all_experiences_at_once(benchmark: CLScenario) -> None:
    model = FirstView()
    strategy = JointTraining(**_options(model, train_epochs=2))
    strategy.train(benchmark.train_stream)
    strategy.eval(benchmark.test_stream)
    assert model.seen == 2 * TRAIN_IMAGES
