from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.supervised import Naive
from torch import nn

from avalanche_pnr import (
    DownstreamPlugin,
    KNNProbe,
    LinearProbe,
    ProbePlugin,
    SelfSupervised,
    domain_incremental,
    ssl_metrics,
)
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.evaluation import FeatureProbe, probe_accuracy
from tests.evaluation.conftest import TRANSFORMS, quick_probes

MakeStrategy = Callable[..., SelfSupervised]
IMAGES = 24 + 18


@pytest.fixture(scope="module")
def other() -> CLScenario:
    """Four classes of other images, in domains of different size."""

    def draw(images: int, seed: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(seed)
        labels = np.arange(images) % 4
        x = rng.integers(0, 160, (images, 8, 8, 3)) + 30 * labels[:, None, None, None]
        return x.astype(np.uint8), labels, np.arange(images) // 8 % 3

    data = ImageData.from_arrays("other", draw(24, seed=1), draw(18, seed=2))
    return domain_incremental(data, **TRANSFORMS)


def _plugin(other: CLScenario, *probes: FeatureProbe) -> DownstreamPlugin:
    return DownstreamPlugin("other", other.probe_stream, other.test_stream, probes)


def test_values_are_the_share_of_all_test_images_after_each_experience(
    benchmark: CLScenario, other: CLScenario, make_strategy: MakeStrategy
) -> None:
    sizes = [len(experience.dataset) for experience in other.test_stream]
    assert len(set(sizes)) > 1
    plugin = _plugin(other, *quick_probes())
    probes = ProbePlugin(benchmark.train_stream, [KNNProbe()])
    strategy = make_strategy([plugin, probes], ssl_metrics(plugin))
    seen = set()
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
        streams = other.probe_stream, other.test_stream
        expected = probe_accuracy(strategy.model, *streams, quick_probes())
        for probe, shares in expected.items():
            name = f"{probe.capitalize()}_Acc_Downstream_other"
            value = metrics[f"{name}/eval_phase/test_stream"]
            assert value == pytest.approx(np.average(shares, weights=sizes))
            assert plugin.values[name] == value
            seen.add(value)
    assert len(seen) > 2


def test_the_chosen_learning_rate_is_told(
    benchmark: CLScenario, other: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = _plugin(other, LinearProbe([0.1, 0.3], epochs=5))
    probes = ProbePlugin(benchmark.train_stream, [KNNProbe()])
    make_strategy([plugin, probes]).eval(benchmark.test_stream)
    assert plugin.values["Linear_Lr_Downstream_other"] in (0.1, 0.3)


def test_it_judges_once_for_each_state_of_the_model(
    benchmark: CLScenario, other: CLScenario, make_strategy: MakeStrategy
) -> None:
    passed: list[int] = []
    plugin = _plugin(other, *quick_probes())
    strategy = make_strategy(
        [plugin, ProbePlugin(benchmark.train_stream, [KNNProbe()])]
    )
    strategy.model.backbone.register_forward_hook(
        lambda _, inputs, __: passed.append(len(inputs[0]))
    )

    def images() -> int:
        number = sum(passed)
        passed.clear()
        return number

    strategy.eval(benchmark.test_stream)
    assert images() == 48 + 30 + IMAGES
    strategy.eval(benchmark.train_stream)
    assert images() == 48
    with torch.no_grad():
        strategy.model.backbone[0].weight.mul_(2)
    strategy.eval(benchmark.test_stream)
    assert images() == 48 + 30 + IMAGES


def test_model_and_generators_stay_as_they_are(
    benchmark: CLScenario, other: CLScenario, make_strategy: MakeStrategy
) -> None:
    def train(*plugins: Any) -> dict[str, torch.Tensor]:
        probes = ProbePlugin(benchmark.train_stream, [KNNProbe()])
        strategy = make_strategy([probes, *plugins])
        torch.manual_seed(5)
        for experience in benchmark.train_stream:
            strategy.train(experience)
            strategy.eval(benchmark.test_stream)
        return strategy.model.state_dict()

    expected, actual = train(), train(_plugin(other, *quick_probes()))
    assert all(torch.equal(actual[name], value) for name, value in expected.items())


@pytest.mark.parametrize("missing", ["train_data", "test_data"])
def test_data_without_experiences_are_refused(other: CLScenario, missing: str) -> None:
    data: dict[str, Any] = {
        "train_data": other.probe_stream,
        "test_data": other.test_stream,
        missing: [],
    }
    with pytest.raises(ValueError, match=f"{missing} holds no experience"):
        DownstreamPlugin("other", **data)


def test_a_class_that_training_lacks_is_named(
    benchmark: CLScenario, other: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = DownstreamPlugin(
        "other", other.probe_stream, benchmark.test_stream, [KNNProbe(k=3)]
    )
    with pytest.raises(ValueError, match="class 5 is evaluated but not in train_data"):
        make_strategy([plugin]).eval(benchmark.test_stream)


def test_another_strategy_is_refused(benchmark: CLScenario, other: CLScenario) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 6))
    strategy = Naive(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        plugins=[_plugin(other, KNNProbe())],
        evaluator=None,
    )
    with pytest.raises(TypeError, match=r"DownstreamPlugin judges .* Naive does not"):
        strategy.eval(benchmark.test_stream)


def test_a_name_that_metrics_would_cut_is_refused(other: CLScenario) -> None:
    with pytest.raises(ValueError, match="'a/b' must do without"):
        DownstreamPlugin("a/b", other.train_stream, other.test_stream)
