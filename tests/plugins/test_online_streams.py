from typing import Any

import pytest
from avalanche.benchmarks import CLScenario, split_online_stream

from avalanche_pnr import PNRPlugin


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
