from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from torch import Tensor
from torchvision import transforms

from avalanche_pnr import (
    ImageData,
    PNRPlugin,
    TwoViews,
    class_incremental,
    data_incremental,
    domain_incremental,
    with_multiview,
)
from tests.conftest import tiny_byol

Stream = Callable[..., CLScenario]


@pytest.fixture(scope="module")
def images() -> ImageData:
    """Three classes and three domains of 48 training images each."""

    def arrays(number: int) -> tuple[Any, Any, Any]:
        rng = np.random.default_rng(number)
        x = rng.integers(0, 256, (number, 8, 8, 3), dtype=np.uint8)
        return x, np.arange(number) % 3, np.arange(number) * 3 // number

    return ImageData.from_arrays("noise", arrays(144), arrays(9))


@pytest.fixture(
    params=[
        pytest.param(partial(class_incremental, n_experiences=3), id="class"),
        pytest.param(partial(data_incremental, n_experiences=3), id="data"),
        pytest.param(domain_incremental, id="domain"),
    ]
)
def benchmark(request: pytest.FixtureRequest, images: ImageData) -> CLScenario:
    """Three experiences of 48 images."""
    stream: Stream = request.param
    plain = transforms.ToTensor()
    return stream(images, train_transform=TwoViews(plain), eval_transform=plain)


def _online(benchmark: CLScenario, size: int, **options: Any) -> list[Any]:
    stream = split_online_stream(
        benchmark.train_stream, size, access_task_boundaries=True, seed=0, **options
    )
    return list(stream)


def _snapshots(strategy: Any, parts: list[Any]) -> list[bool]:
    """Whether the past model was taken after each part, and taken as the model is."""
    taken = []
    for part in parts:
        before = strategy.past_model.network
        strategy.train(part)
        past = strategy.past_model.network
        taken.append(past is not before)
        if taken[-1]:
            own = strategy.model.backbone.state_dict()
            for name, value in past[0].state_dict().items():
                assert torch.equal(value, own[name])
    return taken


# Avalanche marks a last part only where the size does not divide the experience.
@pytest.mark.parametrize(
    ("size", "parts", "marked"), [(16, 3, 0), (18, 3, 3), (48, 1, 0), (50, 1, 3)]
)
def test_the_past_is_taken_exactly_where_experiences_end(
    size: int, parts: int, marked: int, benchmark: CLScenario, make_strategy: Any
) -> None:
    online = _online(benchmark, size)
    assert sum(part.is_last_subexp for part in online) == marked
    strategy = make_strategy(plugins=[PNRPlugin()], train_mb_size=8)
    expected = ([False] * (parts - 1) + [True]) * 3
    assert _snapshots(strategy, online) == expected


def test_the_past_is_taken_where_incomplete_parts_are_dropped(
    benchmark: CLScenario, make_strategy: Any
) -> None:
    online = _online(benchmark, 20, drop_last=True)
    strategy = make_strategy(plugins=[PNRPlugin()], train_mb_size=8)
    assert _snapshots(strategy, online) == [False, True] * 3


def test_views_of_other_benchmarks_are_cut_in_the_same_way(
    benchmark: CLScenario, make_strategy: Any
) -> None:
    views = with_multiview(benchmark, TwoViews(transforms.ToTensor()))
    strategy = make_strategy(plugins=[PNRPlugin()], train_mb_size=8)
    assert _snapshots(strategy, _online(views, 24)) == [False, True] * 3


def test_online_streams_that_hide_their_boundaries_are_refused(
    benchmark: CLScenario, make_strategy: Any
) -> None:
    stream = split_online_stream(benchmark.train_stream, experience_size=16)
    with pytest.raises(ValueError, match=r"past='ema'.*access_task_boundaries=True"):
        make_strategy(plugins=[PNRPlugin()]).train(next(iter(stream)))


def test_momentum_and_past_pass_follow_the_experience_and_not_its_parts(
    benchmark: CLScenario, make_strategy: Any
) -> None:
    steps: list[tuple[int, int]] = []
    model = tiny_byol()
    follow = model.after_step

    def after_step(output: Tensor, step: int, total_steps: int) -> None:
        steps.append((step, total_steps))
        follow(output, step, total_steps)

    model.after_step = after_step  # type: ignore[method-assign]
    target = model.momentum_projector.layers[0].weight
    before = target.clone()
    strategy = make_strategy(model, plugins=[PNRPlugin()])
    for part in _online(benchmark, 16):
        strategy.train(part)
    assert steps == [(0, 3), (1, 3), (2, 3)] * 3
    assert not torch.equal(target, before)
