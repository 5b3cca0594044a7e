from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from torch import Tensor

from avalanche_pnr import PNRPlugin
from tests.conftest import tiny_byol


# Parts of 18, 18 and 12 images, or three of 16: there Avalanche sets no last part.
@pytest.mark.parametrize("size", [18, 16])
def test_online_streams_keep_their_past_within_an_experience(
    size: int, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    stream = split_online_stream(
        benchmark_of_digits.train_stream,
        experience_size=size,
        access_task_boundaries=True,
    )
    strategy = make_strategy(plugins=[PNRPlugin()], train_mb_size=8)
    taken = []
    for experience in list(stream)[:6]:
        before = strategy.past_model._network
        strategy.train(experience)
        taken.append(strategy.past_model._network is not before)
    assert taken == [False, False, True] * 2


def test_online_streams_that_hide_their_boundaries_are_refused(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    stream = split_online_stream(benchmark_of_digits.train_stream, experience_size=16)
    with pytest.raises(ValueError, match="access_task_boundaries=True"):
        make_strategy(plugins=[PNRPlugin()]).train(next(iter(stream)))


def test_momentum_and_past_pass_follow_the_experience_and_not_its_parts(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    stream = split_online_stream(
        benchmark_of_digits.train_stream,
        experience_size=16,
        access_task_boundaries=True,
    )
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
    for experience in list(stream)[:6]:
        strategy.train(experience)
    assert steps == [(0, 3), (1, 3), (2, 3)] * 2
    assert not torch.equal(target, before)
