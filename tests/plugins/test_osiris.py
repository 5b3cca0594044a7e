import copy
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr import OsirisPlugin, SelfSupervised
from avalanche_pnr.losses import cross_task_loss, simclr_loss
from tests.conftest import METHODS, Strategy
from tests.plugins.conftest import Losses, train
from tests.plugins.marked import Recorder, double_precision, marked_stream, shares

IMAGES = 16


class Watched(OsirisPlugin):
    """Remembers what was drawn last."""

    def draw(self, strategy: SelfSupervised) -> list[Tensor] | None:
        self.drawn = super().draw(strategy)
        return self.drawn


class Terms(Recorder):
    """The equation, from copies of the networks."""

    def __init__(self, plugin: Watched) -> None:
        super().__init__()
        self.plugin = plugin

    def expected(self, strategy: SelfSupervised) -> Tensor:
        assert self.plugin.drawn is not None
        views = self.plugin.drawn[0]
        numbers = shares(views).argmax(dim=1)
        assert (numbers < IMAGES * len(self.ended)).all()
        ssl = self.method.loss(copy.deepcopy(self.method)(strategy.mb_x))
        current = embeddings(self.method, strategy.mb_x)
        remembered = embeddings(self.method, views)
        cross = cross_task_loss(current, remembered, 0.3)
        return ssl + 0.7 * (cross + simclr_loss(remembered, 0.3))


def embeddings(method: Any, views: Tensor) -> Tensor:
    each = [
        method.heads["memory_projector"](method.backbone(v)) for v in views.unbind(1)
    ]
    return normalize(torch.stack(each, dim=1), dim=-1)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_the_equation(
    name: str, accumulate: int, make_strategy: Any
) -> None:
    with double_precision():
        plugin = Watched(lambda_osiris=0.7, temperature=0.3, batch_size_mem=6)
        terms = Terms(plugin)
        strategy = make_strategy(
            METHODS[name]().double(),
            plugins=[plugin, terms],
            train_mb_size=8,
            accumulate=accumulate,
            lr=1e-3,
        )
        for experience in marked_stream(4).train_stream:
            strategy.train(experience)
    assert terms.compared == 6


def test_its_projector_begins_as_a_copy_and_is_trained(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    class Second(Recorder):
        def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            heads = strategy.model.heads
            projector = heads["memory_projector"] if heads else None
            begun.append(None if projector is None else projector.state_dict())
            if len(begun) == 2:
                own = strategy.model.projector.state_dict()
                assert all(torch.equal(own[k], v) for k, v in begun[1].items())

        def expected(self, strategy: SelfSupervised) -> Tensor:
            return strategy.loss

    begun: list[Any] = []
    strategy = make_strategy(plugins=[OsirisPlugin(mem_size=20), Second()])
    train(strategy, benchmark_of_digits, 3)
    assert begun[0] is None
    model = strategy.model
    assert model.heads
    for own, other in zip(
        model.projector.parameters(),
        model.heads["memory_projector"].parameters(),
        strict=True,
    ):
        assert not torch.equal(own, other)
    assert strategy.optimized_param_id is not None
    assert "heads.memory_projector.layers.0.weight" in strategy.optimized_param_id


def test_the_first_experience_is_plain_ssl(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    losses = [Losses(), Losses()]
    train(make_strategy(plugins=[losses[0]]), benchmark_of_digits, 2)
    train(make_strategy(plugins=[OsirisPlugin(), losses[1]]), benchmark_of_digits, 2)
    assert losses[0].values[0] == losses[1].values[0]
    assert losses[0].values[1] != losses[1].values[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_osiris": -1.0}, "lambda_osiris must be 0 or more and finite, got -1"),
        ({"temperature": 0.0}, "temperature must be above 0 and finite, got 0"),
        ({"mem_size": 0}, "mem_size must be 1 or more, got 0"),
    ],
)
def test_values_without_a_meaning_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        OsirisPlugin(**options)
