"""The distillation predictor g: when it comes, who trains it, doing without it."""

import copy
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin

from avalanche_pnr import CaSSLePlugin, PNRPlugin
from avalanche_pnr.plugins import PastModelPlugin, predict_past
from tests.conftest import METHODS, tiny_moco
from tests.plugins.conftest import train


def test_predictor_is_trained_and_carries_over(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[CaSSLePlugin(predictor_hidden_dim=24)])
    train(strategy, benchmark_of_digits, 1)
    assert "distillation_predictor" not in strategy.model.heads
    strategy.train(benchmark_of_digits.train_stream[1])
    predictor = strategy.model.heads["distillation_predictor"]
    assert predictor.layers[0].weight.shape == (24, 8)
    before = copy.deepcopy(predictor.state_dict())
    strategy.train(benchmark_of_digits.train_stream[2])
    assert strategy.model.heads["distillation_predictor"] is predictor
    weight = predictor.layers[0].weight
    assert not torch.equal(weight, before["layers.0.weight"])
    held = {id(p) for group in strategy.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in strategy.model.parameters()}


def test_predictor_joins_the_first_of_several_parameter_groups(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    model = tiny_moco()
    groups = [
        {"params": model.projector.parameters(), "lr": 0.1},
        {"params": model.backbone.parameters(), "lr": 0.01},
    ]
    strategy = make_strategy(
        model, plugins=[PNRPlugin()], optimizer=torch.optim.SGD(groups)
    )
    train(strategy, benchmark_of_digits, 3)
    first, second = strategy.optimizer.param_groups
    held = {id(p) for p in first["params"]}
    assert {id(p) for p in model.heads["distillation_predictor"].parameters()} < held
    assert {id(p) for p in second["params"]} == {
        id(p) for p in model.backbone.parameters()
    }


@pytest.mark.parametrize("plugin", [CaSSLePlugin, PNRPlugin])
@pytest.mark.parametrize("name", METHODS)
def test_without_a_predictor_the_regularizer_works_on_the_projection(
    name: str,
    plugin: type[PastModelPlugin],
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    class Check(SupervisedPlugin):
        checked = 0

        def before_backward(self, strategy: Any, **kwargs: Any) -> None:
            if not strategy.past_model.exists:
                return
            method, output = strategy.model, strategy.mb_output
            z, past = method.projection(output), strategy.past_model(strategy.mb_x)
            assert torch.equal(predict_past(method, output), z)
            if plugin is CaSSLePlugin:
                expected = method.lambda_distill * method.distill_loss(z, past)
            else:
                expected = method.pnr_distill_loss(output, z, past)
            term = strategy.loss_terms[plugin.__name__]
            assert term.item() == pytest.approx(expected.item())
            Check.checked += 1

    plugins = [plugin(predictor_hidden_dim=None), Check()]
    strategy = make_strategy(METHODS[name](), plugins=plugins, lr=0.002)
    names = [name for name, _ in strategy.model.named_parameters()]
    state = list(strategy.model.state_dict())
    train(strategy, benchmark_of_digits, 3)
    assert Check.checked == 6
    assert [name for name, _ in strategy.model.named_parameters()] == names
    assert list(strategy.model.state_dict()) == state


def test_a_state_without_a_predictor_loads(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[PNRPlugin(predictor_hidden_dim=None)])
    train(strategy, benchmark_of_digits, 2)
    other = tiny_moco()
    other.load_state_dict(strategy.model.state_dict())
    assert "distillation_predictor" not in other.heads
