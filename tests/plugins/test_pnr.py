from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario

from avalanche_pnr import CaSSLePlugin, PNRPlugin
from avalanche_pnr.plugins import PastModelPlugin
from tests.conftest import METHODS, WEIGHTED
from tests.plugins.conftest import train


@pytest.mark.parametrize("name", WEIGHTED)
def test_without_its_second_verb_pnr_is_cassle(
    name: str, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    def trained(plugin: PastModelPlugin, **options: float) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        model = METHODS[name](**options)
        strategy = make_strategy(model, plugins=[plugin], lr=0.002)
        train(strategy, benchmark_of_digits, 3)
        state: dict[str, torch.Tensor] = strategy.model.state_dict()
        return state

    cassle, pnr = trained(CaSSLePlugin()), trained(PNRPlugin(), lambda_pnr=0.0)
    assert pnr.keys() == cassle.keys()
    assert all(torch.equal(value, cassle[key]) for key, value in pnr.items())
    weight = "backbone.0.weight"
    assert not torch.equal(trained(PNRPlugin())[weight], cassle[weight])


@pytest.mark.parametrize("name", WEIGHTED)
def test_the_plugin_gives_the_method_its_weight(
    name: str, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    def trained(plugin: PNRPlugin, **options: float) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        strategy = make_strategy(METHODS[name](**options), plugins=[plugin], lr=0.002)
        train(strategy, benchmark_of_digits, 3)
        assert strategy.model.lambda_pnr == 0.25
        state: dict[str, torch.Tensor] = strategy.model.state_dict()
        return state

    given = trained(PNRPlugin(lambda_pnr=0.25))
    own = trained(PNRPlugin(), lambda_pnr=0.25)
    assert [key for key in own if not torch.equal(own[key], given[key])] == []


@pytest.mark.parametrize(
    ("name", "weight", "message"),
    [
        (
            "moco",
            1.0,
            r"^lambda_pnr=1 has no place in MoCoV2Plus.*leave lambda_pnr out",
        ),
        ("mocov3", 0.5, r"^lambda_pnr=0.5 has no place in MoCoV3"),
        ("simclr", 0.0, r"^lambda_pnr=0 has no place in SimCLR"),
        ("vicreg", 25.0, r"^lambda_pnr=25 must be below lambda_distill=25"),
    ],
)
def test_a_weight_that_does_not_fit_the_method_is_refused_before_the_first_batch(
    name: str,
    weight: float,
    message: str,
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    plugins = [PNRPlugin(lambda_pnr=weight)]
    strategy = make_strategy(METHODS[name](), plugins=plugins)
    with pytest.raises(ValueError, match=message):
        strategy.train(benchmark_of_digits.train_stream[0])
    assert strategy.clock.train_iterations == 0


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=r"^lambda_pnr must be 0 or more"):
        PNRPlugin(lambda_pnr=weight)
