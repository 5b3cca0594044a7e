"""A method without the losses of a plugin is refused before it is trained."""

import copy
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor

from avalanche_pnr import CaSSLePlugin, PNRPlugin
from avalanche_pnr.plugins import PastModelPlugin
from tests.conftest import CONTRASTIVE, METHODS
from tests.plugins.conftest import Toy, train


class WithoutDistillLoss(Toy):
    distill_loss = Toy.__mro__[1].distill_loss


class WithoutPseudoNegativeLoss(Toy):
    pseudo_negative_loss = Toy.__mro__[1].pseudo_negative_loss


class WithoutBoth(WithoutDistillLoss):
    pseudo_negative_loss = Toy.__mro__[1].pseudo_negative_loss


class OwnPNRDistillLoss(WithoutBoth):
    """L2 is not made of the two losses."""

    def pnr_distill_loss(
        self, output: Tensor, predicted: Tensor, past: Tensor
    ) -> Tensor:
        return (predicted - past).square().mean()


@pytest.mark.parametrize(
    ("method", "plugin", "loss"),
    [
        (WithoutDistillLoss, CaSSLePlugin, "distill_loss"),
        (WithoutBoth, CaSSLePlugin, "distill_loss"),
        (OwnPNRDistillLoss, CaSSLePlugin, "distill_loss"),
        (WithoutDistillLoss, PNRPlugin, "distill_loss"),
        (WithoutPseudoNegativeLoss, PNRPlugin, "pseudo_negative_loss"),
        (WithoutBoth, PNRPlugin, "distill_loss"),
    ],
)
def test_a_missing_loss_is_refused_before_the_first_batch(
    method: type[Toy],
    plugin: type[PastModelPlugin],
    loss: str,
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    strategy = make_strategy(method(), plugins=[plugin()])
    before = copy.deepcopy(strategy.model.state_dict())
    message = rf"{method.__name__} does not define {loss}\(.*{plugin.__name__} needs"
    with pytest.raises(TypeError, match=message):
        strategy.train(benchmark_of_digits.train_stream[0])
    assert strategy.clock.train_iterations == 0
    after = strategy.model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in after.items())


@pytest.mark.parametrize(
    ("method", "plugin"),
    [
        (WithoutPseudoNegativeLoss, CaSSLePlugin),
        (OwnPNRDistillLoss, PNRPlugin),
        (Toy, PNRPlugin),
    ],
)
def test_losses_that_a_plugin_does_not_need_may_be_missing(
    method: type[Toy],
    plugin: type[PastModelPlugin],
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    strategy = make_strategy(method(), plugins=[plugin()], lr=0.005)
    train(strategy, benchmark_of_digits, 2)
    assert strategy.clock.train_iterations == 6


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_package_has_what_both_plugins_need(name: str) -> None:
    method = METHODS[name]()
    contrastive = name in CONTRASTIVE
    assert method.defines("distill_loss")
    assert method.defines("pseudo_negative_loss") is not contrastive
    assert method.defines("pnr_distill_loss") is contrastive
    for plugin in (CaSSLePlugin(), PNRPlugin()):
        assert all(map(method.defines, plugin.required_losses(method)))
