from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import ReplayPlugin
from torch import Tensor

from avalanche_pnr import CaSSLePlugin, LUMPPlugin, PNRPlugin, SelfSupervised
from tests.conftest import METHODS
from tests.plugins.marked import Recorder, double_precision, marked_stream, shares


class Mixtures(Recorder):
    """Takes each mixture apart and checks the SSL loss of it."""

    def __init__(self) -> None:
        super().__init__()
        self.lambdas: list[float] = []
        self.past: list[list[int]] = []

    def expected(self, strategy: SelfSupervised) -> Tensor:
        first_pixel = 16 * len(self.ended)
        share = shares(strategy.mb_x)
        current = share[:, first_pixel : first_pixel + 16]
        remembered = share[:, :first_pixel]
        self.lambdas.append(current.max().item())
        for part, weight in ((current, self.lambdas[-1]), (remembered, None)):
            weight = 1 - self.lambdas[-1] if weight is None else weight
            assert ((part > 0).sum(dim=1) == 1).all()
            assert torch.allclose(part.sum(dim=1), torch.tensor(weight))
        self.past.append(remembered.argmax(dim=1).tolist())
        return self.method.loss(self.method(strategy.mb_x))


class Shares(SupervisedPlugin):
    """Notes how much of each batch is of the second experience."""

    def __init__(self) -> None:
        super().__init__()
        self.current: list[float] = []

    def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.current.append(shares(strategy.mb_x)[:, 16:32].max().item())


@pytest.mark.parametrize("name", METHODS)
def test_every_image_is_mixed_with_one_of_the_past(
    name: str, make_strategy: Any
) -> None:
    with double_precision():
        mixtures = Mixtures()
        strategy = make_strategy(
            METHODS[name]().double(),
            plugins=[LUMPPlugin(mem_size=16), mixtures],
            train_mb_size=8,
            train_epochs=2,
            lr=1e-3,
        )
        for experience in marked_stream().train_stream:
            strategy.train(experience)
    assert mixtures.compared == len(set(mixtures.lambdas)) == 8
    assert all(0 < each < 1 for each in mixtures.lambdas)
    # Each epoch of two batches goes through the memory of 16 images.
    epochs = [
        sorted([*mixtures.past[batch], *mixtures.past[batch + 1]])
        for batch in (0, 2, 4, 6)
    ]
    assert epochs[0] == epochs[1] == list(range(16))
    assert epochs[2] == epochs[3]
    assert epochs[2][0] < 16 <= epochs[2][-1] < 32


def test_the_share_follows_the_beta_distribution(make_strategy: Any) -> None:
    def drawn(alpha: float) -> Tensor:
        plugins = [LUMPPlugin(alpha=alpha), noted := Shares()]
        strategy = make_strategy(plugins=plugins, train_mb_size=2, lr=0.0)
        first, second = marked_stream(2).train_stream
        strategy.train(first)
        noted.current.clear()
        strategy.train_epochs = 25
        strategy.train(second)
        return torch.tensor(noted.current)

    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    for alpha in (0.4, 20.0):
        lambdas = drawn(alpha)
        assert len(lambdas) == 200
        assert lambdas.mean().item() == pytest.approx(0.5, abs=0.08)
        variance = 1 / (4 * (2 * alpha + 1))
        assert lambdas.var().item() == pytest.approx(variance, rel=0.25)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("plugin", [CaSSLePlugin, PNRPlugin])
def test_other_plugins_see_the_mixtures_whatever_their_order(
    plugin: type[PNRPlugin], first: bool, make_strategy: Any
) -> None:
    class Seen(plugin):
        checked = 0

        def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            super().before_backward(strategy, **kwargs)
            if strategy.past_model.exists:
                assert ((shares(strategy.mb_x) > 0).sum(dim=1) == 2).all()
                assert strategy.past_model._last.views is strategy.mb_x
                Seen.checked += 1

    plugins = [LUMPPlugin(), Seen()]
    strategy = make_strategy(plugins=plugins if first else plugins[::-1])
    for experience in marked_stream().train_stream:
        strategy.train(experience)
    assert Seen.checked == 2


def test_batches_that_replay_has_doubled_are_mixed_whole(make_strategy: Any) -> None:
    class Sizes(Recorder):
        def expected(self, strategy: SelfSupervised) -> Tensor:
            assert len(strategy.mb_x) == 16
            assert (shares(strategy.mb_x).sum(dim=1) - 1 < 1e-6).all()
            assert (shares(strategy.mb_x).amax(dim=1) < 1).any()
            return strategy.loss

    sizes = Sizes()
    plugins = [ReplayPlugin(mem_size=16), LUMPPlugin(), sizes]
    strategy = make_strategy(plugins=plugins, train_mb_size=8)
    for experience in marked_stream().train_stream:
        strategy.train(experience)
    assert sizes.compared == 4


def test_it_changes_what_is_learnt(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    def weights(*plugins: Any) -> Tensor:
        strategy = make_strategy(plugins=list(plugins))
        for experience in benchmark_of_digits.train_stream[:3]:
            torch.manual_seed(experience.current_experience)
            strategy.train(experience)
        weight: Tensor = strategy.model.backbone[0].weight
        return weight

    assert torch.equal(weights(), weights())
    assert not torch.equal(weights(LUMPPlugin()), weights())
    assert torch.equal(weights(LUMPPlugin()), weights(LUMPPlugin()))


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_no_distribution_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be above 0 and finite, got"):
        LUMPPlugin(alpha=alpha)
