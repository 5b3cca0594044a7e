import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor, nn
from torch.nn.functional import one_hot

from avalanche_pnr import KNNProbe, LinearProbe
from avalanche_pnr.evaluation import (
    Readout,
    accuracy,
    extract_stream,
    probe_accuracy,
)


class Always:
    """Predicts one class, and remembers what it was fitted to."""

    def __init__(self, label: int) -> None:
        self.name = f"always {label}"
        self.label = label
        self.fits: list[tuple[Tensor, Tensor]] = []

    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        self.fits.append((features, labels))
        scores = one_hot(torch.tensor([self.label]), 6)
        return lambda features: scores.expand(len(features), -1)


def test_accuracy_is_the_share_of_rows_with_the_highest_score_at_the_label() -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0], [-3.0, -1.0, -2.0], [0.0, 0.1, 0.2]])
    assert accuracy(scores, torch.tensor([0, 1, 2])) == 1.0
    assert accuracy(scores, torch.tensor([0, 2, 2])) == pytest.approx(2 / 3)
    assert accuracy(scores, torch.tensor([1, 0, 0])) == 0.0
    assert type(accuracy(scores, torch.tensor([0, 1, 2]))) is float


def test_each_experience_has_its_share_of_right_answers(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    label = benchmark.class_order[1][0]
    result = probe_accuracy(
        backbone, benchmark.train_stream, benchmark.test_stream, [Always(label)]
    )
    assert result == {f"always {label}": [0.0, 0.5, 0.0]}


def test_a_probe_is_fitted_once_to_all_training_data(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    probe = Always(0)
    probe_accuracy(backbone, benchmark.train_stream, benchmark.test_stream, [probe])
    (features, labels), *others = probe.fits
    assert not others
    parts = extract_stream(backbone, benchmark.train_stream)
    assert torch.equal(features, torch.cat([x for x, _ in parts]))
    assert torch.equal(labels, torch.cat([y for _, y in parts]))
    assert labels.bincount().tolist() == [8] * 6


def test_probes_are_judged_side_by_side(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    streams = benchmark.train_stream, benchmark.test_stream
    together = probe_accuracy(backbone, *streams, [LinearProbe(), KNNProbe(k=3)])
    assert list(together) == ["linear", "knn"]
    for probe in (LinearProbe(), KNNProbe(k=3)):
        alone = probe_accuracy(backbone, *streams, [probe])
        assert alone == {probe.name: together[probe.name]}


def test_features_of_any_module_can_be_judged(benchmark: CLScenario) -> None:
    streams = benchmark.train_stream, benchmark.train_stream
    result = probe_accuracy(nn.Flatten(), *streams, [KNNProbe(k=1)])
    assert result == {"knn": [1.0, 1.0, 1.0]}


def test_the_model_stays(backbone: nn.Sequential, benchmark: CLScenario) -> None:
    backbone[1].eval()
    modes = [module.training for module in backbone.modules()]
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    probe_accuracy(
        backbone, benchmark.train_stream, benchmark.test_stream, [LinearProbe()]
    )
    after = backbone.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert [module.training for module in backbone.modules()] == modes
