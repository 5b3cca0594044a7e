import math
import warnings
from typing import Any

import pytest
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin

from avalanche_pnr import CaSSLePlugin, SelfSupervised, WarmupCosinePlugin


class Rates(SupervisedPlugin):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def before_training_epoch(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.values.append(strategy.optimizer.param_groups[0]["lr"])


def published(epochs: int, warmup: int, base: float, start: float) -> list[float]:
    return [
        start + e * (base - start) / (warmup - 1)
        if e < warmup
        else base / 2 * (1 + math.cos(math.pi * (e - warmup) / (epochs - warmup)))
        for e in range(epochs)
    ]


def rates(
    benchmark: CLScenario, make_strategy: Any, epochs: int, warmup: int
) -> list[float]:
    noted = Rates()
    schedule = WarmupCosinePlugin(warmup_epochs=warmup, warmup_start_lr=0.003)
    strategy = make_strategy(
        plugins=[schedule, CaSSLePlugin(), noted], train_epochs=epochs, train_mb_size=48
    )
    for experience in benchmark.train_stream[:3]:
        strategy.train(experience)
    return noted.values


def test_every_experience_follows_the_published_formula(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    values = rates(benchmark_of_digits, make_strategy, epochs=9, warmup=4)
    assert values == pytest.approx(3 * published(9, 4, 0.05, 0.003), rel=1e-9)


def test_without_warmup_the_cosine_starts_at_once(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    values = rates(benchmark_of_digits, make_strategy, epochs=4, warmup=0)
    cosine = [0.025 * (1 + math.cos(math.pi * e / 4)) for e in range(4)]
    assert values == pytest.approx(3 * cosine)


def test_too_long_a_warmup_is_shortened_with_a_warning(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    with pytest.warns(UserWarning, match=r"from 10 epochs to 3: .* has 4$"):
        values = rates(benchmark_of_digits, make_strategy, epochs=4, warmup=10)
    assert values == pytest.approx(3 * published(4, 3, 0.05, 0.003))


def test_a_warmup_of_one_epoch_is_none(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    with pytest.warns(UserWarning, match=r"from 10 epochs to 0: .* has 2$"):
        values = rates(benchmark_of_digits, make_strategy, epochs=2, warmup=10)
    assert values == pytest.approx(3 * [0.05, 0.025])


def test_a_warmup_that_was_not_shortened_gives_no_warning(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="warm-up")
        values = rates(benchmark_of_digits, make_strategy, epochs=2, warmup=1)
    assert values == pytest.approx(3 * [0.05, 0.025])


def test_a_warmup_that_falls_is_refused(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    schedule = WarmupCosinePlugin(warmup_epochs=2, warmup_start_lr=0.1)
    strategy = make_strategy(plugins=[schedule], train_epochs=5)
    with pytest.raises(ValueError, match="not between 0 and the learning rate"):
        strategy.train(benchmark_of_digits.train_stream[0])


def test_momentum_restarts_with_each_experience(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    class Momenta(SupervisedPlugin):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[bool] = []

        def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
            states = strategy.optimizer.state.values()
            self.found.append(any("momentum_buffer" in each for each in states))

    for options, expected in (({}, False), ({"reset_optimizer_state": False}, True)):
        momenta = Momenta()
        strategy = make_strategy(plugins=[momenta])
        for experience in benchmark_of_digits.train_stream[:3]:
            strategy.train(experience, **options)
        assert momenta.found[1:] == [expected] * 2
