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
