import copy
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from avalanche.training import Naive
from avalanche.training.plugins import GDumbPlugin
from torch import nn

from avalanche_pnr import CaSSLePlugin, PNRPlugin, SelfSupervised
from avalanche_pnr.plugins import PastModelPlugin
from tests.conftest import tiny_backbone
from tests.plugins.conftest import Losses, Toy, train


@pytest.mark.parametrize("plugin", [CaSSLePlugin, PNRPlugin])
def test_first_experience_is_plain_ssl_and_later_ones_are_not(
    plugin: type[PastModelPlugin], benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    plain, regularised = Losses(), Losses()
    train(make_strategy(plugins=[plain]), benchmark_of_digits, 3)
    train(make_strategy(plugins=[plugin(), regularised]), benchmark_of_digits, 3)
    assert regularised.values[0] == plain.values[0]
    assert sum(regularised.values[1]) > sum(plain.values[1])
    assert regularised.values[2] != plain.values[2]


@pytest.mark.parametrize("plugin", [CaSSLePlugin, PNRPlugin])
def test_a_users_method_gains_both_plugins_by_its_losses(
    plugin: type[PastModelPlugin], benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    class Check(SupervisedPlugin):
        checked = 0

        def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            if not strategy.past_model.exists:
                return
            toy, output = strategy.model, strategy.mb_output
            predictor = copy.deepcopy(toy.heads["distillation_predictor"])
            p = torch.stack([predictor(z) for z in output.unbind(1)], dim=1)
            f = strategy.past_model(strategy.mb_x)
            expected = toy.loss(output) + 2.0 * toy.distill_loss(p, f)
            if plugin is PNRPlugin:
                expected = expected - 0.5 * toy.pseudo_negative_loss(p, f)
            assert strategy.loss.item() == pytest.approx(expected.item(), rel=1e-5)
            Check.checked += 1

    strategy = make_strategy(Toy(), plugins=[plugin(), Check()], lr=0.005)
    train(strategy, benchmark_of_digits, 3)
    assert Check.checked == 6


def test_two_plugins_cost_one_past_forward_a_batch(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    losses = Losses()
    plugins = [PNRPlugin(), CaSSLePlugin(), losses]
    train(make_strategy(plugins=plugins), benchmark_of_digits, 2)
    assert losses.past_calls == len(losses.values[1]) == 3


def test_past_model_is_the_network_of_the_previous_experience(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[PNRPlugin()])
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
        model = strategy.model
        present = nn.Sequential(model.backbone, model.projector).state_dict()
        past = strategy.past_model.network
        assert past is not None
        assert not past.training
        assert all(torch.equal(v, present[k]) for k, v in past.state_dict().items())
        assert not any(p.requires_grad for p in past.parameters())


def test_criterion_of_other_plugins_stays_the_plain_loss(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    class Ask(SupervisedPlugin):
        asked = 0

        def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            output = strategy.mb_output.detach()[:5]
            actual = strategy._criterion(output, None)
            assert torch.equal(actual, strategy.model.loss(output))
            strategy._criterion.reduction = "none"
            assert strategy._criterion(output).shape == (5,)
            strategy._criterion.reduction = "mean"
            Ask.asked += 1

    train(make_strategy(plugins=[PNRPlugin(), Ask()]), benchmark_of_digits, 3)
    assert Ask.asked == 9


def test_zero_epochs_adopt_a_model_trained_elsewhere(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    whole = make_strategy(plugins=[PNRPlugin()])
    train(whole, benchmark_of_digits, 3)
    first = make_strategy()
    train(first, benchmark_of_digits, 1)
    rest = make_strategy(copy.deepcopy(first.model), plugins=[PNRPlugin()])
    rest.train_epochs = 0
    rest.train(benchmark_of_digits.train_stream[0])
    rest.train_epochs = 1
    for experience in benchmark_of_digits.train_stream[1:3]:
        torch.manual_seed(experience.current_experience)
        rest.train(experience)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name


@pytest.mark.parametrize("first", [True, False])
def test_plugins_that_replace_the_model_may_come_before_or_after(
    first: bool, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    plugins = [GDumbPlugin(mem_size=60), PNRPlugin()]
    strategy = make_strategy(plugins=plugins if first else plugins[::-1])
    train(strategy, benchmark_of_digits, 4)
    held = {id(p) for group in strategy.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in strategy.model.parameters()}


def test_other_strategies_are_refused_before_training(
    benchmark_of_digits: CLScenario,
) -> None:
    model = nn.Sequential(tiny_backbone(), nn.Linear(8, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    naive = Naive(
        model=model, optimizer=optimizer, plugins=[PNRPlugin()], evaluator=None
    )
    with pytest.raises(TypeError, match=r"Naive does not have.*SelfSupervised"):
        naive.train(benchmark_of_digits.train_stream[0])
