from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor, nn

from avalanche_pnr import DERPlugin, SelfSupervised
from tests.conftest import METHODS, Strategy
from tests.plugins.conftest import train
from tests.plugins.marked import Recorder, double_precision, marked_stream, shares

IMAGES = 16


class Watched(DERPlugin):
    """Remembers what was drawn last."""

    def draw(self, strategy: SelfSupervised) -> list[Tensor] | None:
        self.drawn = super().draw(strategy)
        return self.drawn


class Distances(Recorder):
    """The equation, from copies of the networks of each experience's end."""

    def __init__(self, plugin: Watched) -> None:
        super().__init__()
        self.plugin = plugin
        self.batches: list[list[int]] = []

    def expected(self, strategy: SelfSupervised) -> Tensor:
        assert self.plugin.drawn is not None
        views = self.plugin.drawn[0]
        numbers = shares(views).argmax(dim=1).tolist()
        self.batches.append(numbers)
        ssl = self.method.loss(self.method(strategy.mb_x))
        squares = []
        for view in (0, 1):
            z = projection(self.method, views[:, view])
            for row, number in enumerate(numbers):
                then = self.ended[number // IMAGES]
                stored = projection(then, views[row : row + 1, view])[0]
                squares += (z[row] - stored).square().tolist()
        return ssl + 0.7 * sum(squares) / len(squares)


def projection(method: Any, images: Tensor) -> Tensor:
    z: Tensor = method.projector(method.backbone(images))
    return z


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_the_equation(name: str, make_strategy: Any) -> None:
    with double_precision():
        plugin = Watched(lambda_der=0.7, mem_size=20, batch_size_mem=6)
        distances = Distances(plugin)
        strategy = make_strategy(
            METHODS[name]().double(),
            plugins=[plugin, distances],
            train_mb_size=8,
            lr=1e-3,
        )
        for experience in marked_stream(4).train_stream:
            strategy.train(experience)
    assert distances.compared == 6
    assert all(len(set(batch)) == 6 for batch in distances.batches)
    assert {number // IMAGES for number in distances.batches[-1]} <= {0, 1, 2}
    assert len({n // IMAGES for batch in distances.batches for n in batch}) == 3


def test_running_statistics_follow_replayed_images_and_queues_do_not(
    make_strategy: Strategy,
) -> None:
    class Watch(Recorder):
        def expected(self, strategy: SelfSupervised) -> Tensor:
            counted = strategy.model.backbone[1].num_batches_tracked
            before = self.method.backbone[1].num_batches_tracked
            assert counted - before == 4  # two views of two batches
            momentum = strategy.model.momentum_backbone[1].num_batches_tracked
            assert momentum - self.method.momentum_backbone[1].num_batches_tracked == 2
            assert len(strategy.mb_output) == 8
            return strategy.loss

    strategy = make_strategy(plugins=[DERPlugin(), Watch()], train_mb_size=8)
    for experience in marked_stream().train_stream:
        strategy.train(experience)
    assert strategy.model.queue.pointer == 6 * 8 % 48


def test_storing_leaves_network_and_momentum_network_in_train_mode(
    make_strategy: Strategy,
) -> None:
    strategy = make_strategy(plugins=[DERPlugin()], train_mb_size=8)
    statistics = []
    for experience in marked_stream().train_stream:
        strategy.train(experience)
        statistics.append(strategy.model.backbone[1].num_batches_tracked.item())
        assert all(
            module.training
            for module in strategy.model.modules()
            if isinstance(module, nn.BatchNorm2d)
        )
    assert statistics == [4, 12, 20]  # what is stored is not counted


def test_its_weight_matters(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    def weights(**options: Any) -> Tensor:
        strategy = make_strategy(plugins=[DERPlugin(**options)])
        train(strategy, benchmark_of_digits, 3)
        weight: Tensor = strategy.model.backbone[0].weight
        return weight

    assert torch.equal(weights(), weights())
    assert not torch.equal(weights(), weights(lambda_der=0.1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_der": -1.0}, "lambda_der must be 0 or more and finite, got -1"),
        ({"mem_size": 0}, "mem_size must be 1 or more, got 0"),
        ({"batch_size_mem": 0}, "batch_size_mem must be 1 or more, got 0"),
    ],
)
def test_values_without_a_meaning_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DERPlugin(**options)
