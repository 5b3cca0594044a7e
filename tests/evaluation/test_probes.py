from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import one_hot

from avalanche_pnr import KNNProbe, LinearProbe
from avalanche_pnr.evaluation import Probe
from avalanche_pnr.evaluation.probes import check_names

PROBES: list[Callable[[], Probe]] = [LinearProbe, KNNProbe]


def _features(images: int, seed: int, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Overlapping classes; features of different scale and offset."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % classes
    hint = one_hot(labels, 5).double()
    noise = torch.randn(images, 5, dtype=torch.double, generator=generator)
    scale = torch.tensor([1.0, 10.0, 0.1, 1.0, 3.0])
    return (hint + noise) * scale + torch.tensor([0.0, 5.0, 1.0, -3.0, 0.0]), labels


TRAIN, TEST = _features(90, seed=0), _features(60, seed=1)


@pytest.mark.parametrize("l2", [1e-1, 1e-3])
def test_linear_probe_is_scikit_learns_logistic_regression(l2: float) -> None:
    x, y = TRAIN
    scaler = StandardScaler().fit(x.numpy())
    reference = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-10, max_iter=10_000)
    reference.fit(scaler.transform(x.numpy()), y.numpy())

    readout = LinearProbe(l2=l2).fit(x, y)
    scores = readout(TEST[0])
    queries = scaler.transform(TEST[0].numpy())
    assert np.array_equal(scores.argmax(1).numpy(), reference.predict(queries))
    probabilities = scores.softmax(dim=1).numpy()
    np.testing.assert_allclose(
        probabilities, reference.predict_proba(queries), atol=1e-4
    )

    origin = torch.from_numpy(scaler.mean_[None])
    steps = origin + torch.from_numpy(np.diag(scaler.scale_))
    weight = (readout(steps) - readout(origin)).T.numpy()
    np.testing.assert_allclose(weight, reference.coef_, atol=1e-3)


def test_linear_probe_reaches_the_same_optimum_in_single_precision() -> None:
    x, y = TRAIN
    double = LinearProbe().fit(x, y)(TEST[0]).softmax(dim=1)
    single = LinearProbe().fit(x.float(), y)(TEST[0].float()).softmax(dim=1)
    torch.testing.assert_close(single.double(), double, atol=1e-3, rtol=0)


def test_linear_probe_does_not_care_for_scale_and_offset() -> None:
    x, y = TRAIN
    scale, offset = torch.tensor([2.0, 1e3, 1e-2, 5.0, 1.0]), 7.0
    plain = LinearProbe().fit(x, y)(TEST[0])
    moved = LinearProbe().fit(x * scale + offset, y)(TEST[0] * scale + offset)
    torch.testing.assert_close(moved.softmax(1), plain.softmax(1), atol=1e-4, rtol=0)


def test_linear_probe_leaves_out_a_feature_that_is_always_zero() -> None:
    x, y = TRAIN
    dead_train, dead_test = torch.zeros(len(x), 1), torch.ones(len(TEST[0]), 1)
    expected = LinearProbe().fit(x, y)(TEST[0])
    readout = LinearProbe().fit(torch.cat([x, dead_train], dim=1), y)
    actual = readout(torch.cat([TEST[0], dead_test], dim=1))
    torch.testing.assert_close(actual.softmax(1), expected.softmax(1))


def test_linear_probe_with_one_class_predicts_it() -> None:
    x, _ = TRAIN
    readout = LinearProbe().fit(x, torch.zeros(len(x), dtype=torch.long))
    assert readout(TEST[0]).argmax(dim=1).unique().tolist() == [0]


@pytest.mark.parametrize("probe", PROBES)
def test_fitting_twice_gives_the_same_without_random_numbers(
    probe: Callable[[], Probe],
) -> None:
    state = torch.get_rng_state()
    first, second = probe().fit(*TRAIN)(TEST[0]), probe().fit(*TRAIN)(TEST[0])
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("probe", PROBES)
def test_fitting_under_no_grad_gives_the_same(probe: Callable[[], Probe]) -> None:
    expected = probe().fit(*TRAIN)(TEST[0])
    with torch.no_grad():
        actual = probe().fit(*TRAIN)(TEST[0])
    assert torch.equal(actual, expected)
    assert not expected.requires_grad


@pytest.mark.parametrize("probe", PROBES)
def test_fitting_keeps_the_features(probe: Callable[[], Probe]) -> None:
    x, y = TRAIN[0].clone(), TRAIN[1].clone()
    probe().fit(x, y)
    assert torch.equal(x, TRAIN[0])
    assert torch.equal(y, TRAIN[1])


@pytest.mark.parametrize("probe", PROBES)
def test_scores_have_a_column_for_each_class(probe: Callable[[], Probe]) -> None:
    assert probe().fit(*TRAIN)(TEST[0]).shape == (60, 3)


def _votes(queries: Tensor, k: int, temperature: float) -> np.ndarray:
    """Share of each class among the weighted k nearest neighbours, by loops."""
    bank, labels = TRAIN[0].numpy(), TRAIN[1].numpy()
    shares = np.zeros((len(queries), labels.max() + 1))
    for row, query in enumerate(queries.numpy()):
        cosines = [
            query @ other / np.linalg.norm(query) / np.linalg.norm(other)
            for other in bank
        ]
        for index in np.argsort(cosines)[::-1][:k]:
            shares[row, labels[index]] += np.exp(cosines[index] / temperature)
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (5, 0.07), (20, 0.5)])
def test_knn_probe_is_the_loop_over_neighbours(k: int, temperature: float) -> None:
    scores = KNNProbe(k=k, temperature=temperature).fit(*TRAIN)(TEST[0]).numpy()
    expected = _votes(TEST[0], k, temperature)
    shares = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=1e-9)
    assert np.array_equal(scores.argmax(axis=1), expected.argmax(axis=1))


def test_knn_probe_looks_at_directions_only() -> None:
    x, y = TRAIN
    lengths = torch.linspace(0.1, 10, len(x))[:, None]
    expected = KNNProbe().fit(x, y)(TEST[0])
    torch.testing.assert_close(KNNProbe().fit(x * lengths, y)(TEST[0] * 3), expected)


@pytest.mark.parametrize("chunk", [1, 7, 60])
def test_chunks_do_not_change_the_scores(chunk: int) -> None:
    whole = KNNProbe().fit(*TRAIN)(TEST[0])
    torch.testing.assert_close(KNNProbe(chunk=chunk).fit(*TRAIN)(TEST[0]), whole)


def test_knn_probe_finds_the_neighbour_at_a_low_temperature() -> None:
    bank, labels = torch.eye(3), torch.tensor([0, 1, 2])
    queries = torch.tensor([[-1.0, -0.9, 0.1], [0.1, 0.2, -1.0]])
    scores = KNNProbe(k=1, temperature=0.005).fit(bank, labels)(queries)
    assert scores.argmax(dim=1).tolist() == [2, 1]


def test_all_of_the_bank_may_vote_and_no_more() -> None:
    x, y = TRAIN
    assert KNNProbe(k=90).fit(x, y)(TEST[0]).shape == (60, 3)
    with pytest.raises(ValueError, match=r"91 nearest neighbours .* among 90 features"):
        KNNProbe(k=91).fit(x, y)


@pytest.mark.parametrize("options", [{"k": 0}, {"temperature": 0.0}, {"chunk": 0}])
def test_knn_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="KNNProbe needs k >= 1"):
        KNNProbe(**options)


def test_a_negative_l2_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="l2 >= 0, got -1"):
        LinearProbe(l2=-1)


def test_no_probe_is_refused() -> None:
    with pytest.raises(ValueError, match="probes is empty"):
        check_names([])
