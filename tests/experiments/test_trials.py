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
    "sharpened": lambda: [
        trials.FeatureCosine(pseudo_negative=1.0),
        PNRPlugin(**WIDTH),
    ],
    "spread": lambda: [trials.FeatureSpread(weight=0.1), PNRPlugin(**WIDTH)],
    "late mean": lambda: [trials.LateMean(share=1.0), PNRPlugin(**WIDTH)],
    "maps": lambda: [trials.MapCosine(stages="0"), PNRPlugin(**WIDTH)],
    "maps alone": lambda: [trials.MapCosine(stages="0 2")],
    "null space": lambda: [trials.SoftNullSpace(), PNRPlugin(**WIDTH)],
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


def test_damping_is_the_inverse_of_the_covariance_of_inputs_and_one(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    plugin = trials.SoftNullSpace(eps=0.5)
    strategy = make_strategy(METHODS["vicreg"](), plugins=[plugin])
    strategy.train(benchmark_of_digits.train_stream[0])
    (covariance,) = plugin.state_dict().values()
    layer, size = strategy.model.backbone[0], 27
    x = torch.rand(5, 3, 8, 8)
    patches = [
        x[i, :, r : r + 3, c : c + 3]
        for i in range(5)
        for r in range(6)
        for c in range(6)
    ]
    rows = torch.stack(patches).flatten(1)
    assert torch.allclose(trials._covariance(layer, x), rows.T @ rows / 180, rtol=1e-5)
    strategy.model(x).square().sum().backward()
    grad = layer.weight.grad.clone()
    plugin.before_update(strategy)
    scaled = covariance / (0.5 * covariance.trace() / size) + torch.eye(size)
    damped = layer.weight.grad.flatten(1) @ scaled
    assert torch.allclose(damped, grad.flatten(1), rtol=1e-3, atol=1e-4)
    assert layer.weight.grad.norm() < grad.norm()


def test_maps_that_did_not_change_cost_nothing_and_others_up_to_four(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    terms: list[float] = []

    class Recorder(trials.MapCosine):
        def add_to_loss(self, strategy: Any, term: torch.Tensor) -> None:
            terms.append(term.item())

    recorder = Recorder(weight=1.0, stages="0")
    strategy = make_strategy(METHODS["vicreg"](), plugins=[recorder], lr=0.002)
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    assert terms[0] == pytest.approx(0, abs=1e-4)
    assert 0 < max(terms) <= 4


def test_correlations_of_different_features_are_added_up(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    compared: list[tuple[float, float]] = []

    class Recorder(trials.FeatureSpread):
        def before_backward(self, strategy: Any, **kwargs: Any) -> None:
            before = strategy.loss.item()
            views = strategy.mb_x.flatten(0, 1)
            h = strategy.model.backbone(views).detach().double()
            super().before_backward(strategy)
            c = torch.corrcoef(h.T)
            expected = (c.square().sum() - len(c)) / len(c)
            compared.append((strategy.loss.item() - before, 2 * expected.item()))

    strategy = make_strategy(METHODS["vicreg"](), plugins=[Recorder(weight=2.0)])
    strategy.train(benchmark_of_digits.train_stream[0])
    assert len(compared) > 0
    for added, expected in compared:
        assert added == pytest.approx(expected, rel=0.2)


def test_the_late_mean_is_of_the_last_half_of_the_epochs(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    ends: list[torch.Tensor] = []

    class Recorder(trials.LateMean):
        def after_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
            super().after_training_epoch(strategy)
            ends.append(strategy.model.backbone[0].weight.detach().clone())

    strategy = make_strategy(
        METHODS["vicreg"](), plugins=[Recorder(share=0.5)], train_epochs=4, lr=0.002
    )
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
        mean = torch.stack(ends[-2:]).mean(dim=0)
        assert torch.allclose(strategy.model.backbone[0].weight, mean, atol=1e-7)
    assert len(ends) == 12
