from collections.abc import Mapping

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor, nn
from torch.nn.functional import one_hot

from avalanche_pnr import KNNProbe, LinearProbe
from avalanche_pnr.evaluation import (
    FeatureProbe,
    Readout,
    accuracy,
    extract_stream,
    probe_accuracy,
)


class Always(FeatureProbe):
    """Predicts one class, and remembers what it was fitted to."""

    def __init__(self, label: int) -> None:
        self.name = f"always {label}"
        self.label = label
        self.fits: list[tuple[Tensor, Tensor]] = []

    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        self.fits.append((features, labels))
        return _One(one_hot(torch.tensor([self.label]), 6))


class _One:
    """The same scores whatever the features."""

    details: Mapping[str, float] = {}

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores

    def __call__(self, features: Tensor) -> Tensor:
        return self.scores.expand(len(features), -1)


def test_accuracy_is_the_share_of_rows_with_the_highest_score_at_the_label() -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0], [-3.0, -1.0, -2.0], [0.0, 0.1, 0.2]])
    assert accuracy(scores, torch.tensor([0, 1, 2])) == 1.0
    assert accuracy(scores, torch.tensor([0, 2, 2])) == pytest.approx(2 / 3)
    assert accuracy(scores, torch.tensor([1, 0, 0])) == 0.0
    assert type(accuracy(scores, torch.tensor([0, 1, 2]))) is float


def test_top_k_and_task_aware_accuracy_are_those_of_sorted_scores() -> None:
    scores, labels = torch.randn(200, 7), torch.randint(0, 7, (200,))
    ranking = scores.argsort(dim=1, descending=True)
    for k in range(1, 8):
        expected = (ranking[:, :k] == labels[:, None]).any(dim=1).double().mean()
        assert accuracy(scores, labels, k=k) == pytest.approx(expected.item())
    own = labels % 3 == 0  # classes 0, 3 and 6
    best = scores[own][:, [0, 3, 6]].argmax(dim=1) * 3
    expected = (best == labels[own]).double().mean()
    aware = accuracy(scores[own], labels[own], classes={6, 0, 3})
    assert aware == pytest.approx(expected.item())
    assert aware > accuracy(scores[own], labels[own])


def test_of_equal_scores_the_lower_class_comes_first_as_with_argmax() -> None:
    scores = torch.tensor([[1.0, 1.0, 0.0, 1.0]]).expand(4, -1)
    labels = torch.arange(4)
    assert (scores.argmax(dim=1) == labels).tolist() == [True, False, False, False]
    assert [accuracy(scores, labels, k=k) for k in (1, 2, 3, 4)] == [
        0.25,
        0.5,
        0.75,
        1.0,
    ]
    assert accuracy(scores[1:3], labels[1:3], classes=[1, 2]) == 0.5


@pytest.mark.parametrize("nothing", [float("-inf"), float("nan")])
def test_a_class_without_a_score_is_never_among_the_highest(nothing: float) -> None:
    scores = torch.tensor([[0.5, nothing, nothing], [nothing, nothing, nothing]])
    assert accuracy(scores, torch.tensor([0, 1]), k=3) == 0.5
    assert accuracy(scores, torch.tensor([1, 2]), k=3) == 0.0


def test_a_label_without_a_score_is_named() -> None:
    with pytest.raises(ValueError, match="class 3 is evaluated but not in train_data"):
        accuracy(torch.zeros(2, 3), torch.tensor([0, 3]))


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


def _probes() -> list[FeatureProbe]:
    return [LinearProbe([0.1], epochs=5), KNNProbe(k=3)]


def test_probes_are_judged_side_by_side(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    streams = benchmark.train_stream, benchmark.test_stream
    together = probe_accuracy(backbone, *streams, _probes())
    assert list(together) == ["linear", "knn"]
    for probe in _probes():
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
    probe_accuracy(backbone, benchmark.train_stream, benchmark.test_stream, _probes())
    after = backbone.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert [module.training for module in backbone.modules()] == modes
