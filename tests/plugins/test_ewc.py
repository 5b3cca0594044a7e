from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.plugins import EWCPlugin as AvalancheEWCPlugin
from torch import Tensor

from avalanche_pnr import EWCPlugin, SelfSupervised
from tests.conftest import METHODS, benchmark_of_views, tiny_vicreg
from tests.plugins.conftest import train
from tests.plugins.marked import Recorder, double_precision

LAMBDA = 3.0


def experiences(images: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(images, 2, 3, 8, 8, generator=generator) for _ in range(4)]


class Penalties(Recorder):
    """The equation, with importances from copies of each experience's end."""

    def __init__(self, views: list[Tensor]) -> None:
        super().__init__()
        self.views = views

    def expected(self, strategy: SelfSupervised) -> Tensor:
        loss = self.method.loss(self.method(strategy.mb_x))
        now = dict(self.method.named_parameters())
        for then, views in zip(self.ended, self.views, strict=False):
            old = dict(then.named_parameters())
            then.zero_grad()
            then.loss(then(views)).backward()
            for name, weight in now.items():
                importance = old[name].grad.square()
                distance = (weight - old[name]).square()
                loss = loss + LAMBDA * (importance * distance).sum()
        assert len(self.ended) == strategy.clock.train_exp_counter
        return loss


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_the_equation(name: str, make_strategy: Any) -> None:
    views = [each.double() for each in experiences(12)]
    with double_precision():
        penalties = Penalties(views)
        strategy = make_strategy(
            METHODS[name]().double(),
            plugins=[EWCPlugin(ewc_lambda=LAMBDA), penalties],
            train_mb_size=12,
            train_epochs=2,
            lr=1e-3,
        )
        for experience in benchmark_of_views(*views).train_stream:
            strategy.train(experience)
    assert penalties.compared == 6


def test_batches_are_whole_and_random(make_strategy: Any) -> None:
    class Watched(EWCPlugin):
        def update_importances(self, importances: Any, t: int) -> None:
            super().update_importances(importances, t)
            queue = strategy.model.queue
            assert torch.equal(queue.keys, self.queue)
            assert strategy.model.training

        def compute_importances(self, *args: Any, **kwargs: Any) -> Any:
            self.queue = strategy.model.queue.keys.clone()
            self.seen: list[Tensor] = []
            handle = strategy.model.register_forward_pre_hook(
                lambda _, inputs: self.seen.append(inputs[0])
            )
            importances = super().compute_importances(*args, **kwargs)
            handle.remove()
            return importances

    plugin = Watched(ewc_lambda=1.0)
    strategy = make_strategy(plugins=[plugin], train_mb_size=8)
    for views, experience in zip(
        experiences(21), benchmark_of_views(*experiences(21)).train_stream, strict=True
    ):
        strategy.train(experience)
        assert [len(each) for each in plugin.seen] == [8, 8]
        rows = [
            next(i for i, own in enumerate(views) if torch.equal(own, image))
            for image in torch.cat(plugin.seen)
        ]
        assert len(set(rows)) == 16
        assert rows != sorted(rows)


def test_a_rest_of_one_image_does_no_harm(make_strategy: Any) -> None:
    first = benchmark_of_views(*experiences(17)).train_stream[0]

    def importances(plugin: AvalancheEWCPlugin) -> list[Tensor]:
        strategy = make_strategy(tiny_vicreg(), plugins=[plugin], lr=1e-3)
        strategy.train(first)
        return [each.data for each in plugin.importances[0].values()]

    assert all(each.isfinite().all() for each in importances(EWCPlugin(1.0)))
    # One image has no variance.
    assert any(each.isnan().any() for each in importances(AvalancheEWCPlugin(1.0)))


def test_its_weight_matters(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    def weights(ewc_lambda: float) -> Tensor:
        strategy = make_strategy(plugins=[EWCPlugin(ewc_lambda)])
        train(strategy, benchmark_of_digits, 3)
        weight: Tensor = strategy.model.backbone[0].weight
        return weight

    assert torch.equal(weights(1.0), weights(1.0))
    assert not torch.equal(weights(1.0), weights(2.0))
