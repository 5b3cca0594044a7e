"""Regularizers that were tried: each does something, and goes on from a state."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario

from avalanche_pnr import PNRPlugin
from experiments import trials
from tests.conftest import METHODS

WIDTH = {"predictor_hidden_dim": 16}
TRIED: dict[str, Callable[[], list[Any]]] = {
    "average": lambda: [trials.WeightAverage(share=0.25), PNRPlugin(**WIDTH)],
    "mean": lambda: [trials.WeightAverage(), PNRPlugin(**WIDTH)],
    "statistics": lambda: [trials.WeightAverage(only="running"), PNRPlugin(**WIDTH)],
    "anchor": lambda: [trials.WeightAnchor(weight=0.5), PNRPlugin(**WIDTH)],
    "slow": lambda: [trials.SlowBackbone(), PNRPlugin(**WIDTH)],
    "cosine": lambda: [trials.FeatureCosine(), PNRPlugin(**WIDTH)],
    "relations": lambda: [trials.FeatureRelations(), PNRPlugin(**WIDTH)],
    "late": lambda: [trials.Progressive(begin=0.0, end=2.0, **WIDTH)],
    "turned": lambda: [
        PNRPlugin(**WIDTH),
        trials.DistilElsewhere(images="turned", **WIDTH),
    ],
    "pasted": lambda: [PNRPlugin(**WIDTH), trials.DistilElsewhere(**WIDTH)],
}


def weights(strategy: Any) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = strategy.model.state_dict()
    return state


@pytest.mark.parametrize("name", TRIED)
def test_it_changes_what_pnr_learns_and_goes_on_from_a_state(
    name: str, benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    def made(plugins: list[Any]) -> Any:
        torch.manual_seed(0)
        return make_strategy(METHODS["vicreg"](), plugins=plugins, lr=0.002)

    stream = benchmark_of_digits.train_stream
    whole, plain, first = made(TRIED[name]()), made([PNRPlugin(**WIDTH)]), None
    for number, experience in enumerate(stream[:3]):
        whole.train(experience)
        plain.train(experience)
        if number == 1:
            first = copy.deepcopy(whole.state_dict())
    assert first is not None
    ended = weights(whole)
    assert any(
        not torch.equal(ended[key], each) for key, each in weights(plain).items()
    )

    other = made(TRIED[name]())
    other.load_state_dict(first, stream)
    other.train(stream[2])
    assert all(torch.equal(ended[key], each) for key, each in weights(other).items())
