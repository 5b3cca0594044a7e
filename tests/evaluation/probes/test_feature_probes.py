"""What holds for every probe of cached features."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from avalanche_pnr import (
    ConvexProbe,
    KNNProbe,
    LinearProbe,
    NearestMeanProbe,
    SemiSupervisedProbe,
)
from avalanche_pnr.evaluation import FeatureProbe, accuracy
from avalanche_pnr.evaluation.probes.base import check_names
from tests.evaluation.probes.conftest import TEST, TRAIN

PROBES: dict[str, Callable[[], FeatureProbe]] = {
    "linear": lambda: LinearProbe([0.03, 0.3], epochs=3),
    "convex": ConvexProbe,
    "knn": KNNProbe,
    "ncm": NearestMeanProbe,
    "semi-supervised": lambda: SemiSupervisedProbe(0.5),
}
every_probe = pytest.mark.parametrize("make", PROBES.values(), ids=PROBES)


def _states() -> tuple[bytes, str, str]:
    numpy_state = np.random.get_state()  # noqa: NPY002
    torch_state = torch.get_rng_state().numpy().tobytes()
    return torch_state, repr(random.getstate()), repr(numpy_state)


@every_probe
def test_fitting_twice_gives_the_same_without_random_numbers(
    make: Callable[[], FeatureProbe],
) -> None:
    states = _states()
    first, second = make().fit(*TRAIN)(TEST[0]), make().fit(*TRAIN)(TEST[0])
    assert torch.equal(first, second)
    assert _states() == states


@every_probe
def test_fitting_under_no_grad_gives_the_same(make: Callable[[], FeatureProbe]) -> None:
    expected = make().fit(*TRAIN)(TEST[0])
    with torch.no_grad():
        actual = make().fit(*TRAIN)(TEST[0])
    assert torch.equal(actual, expected)
    assert not expected.requires_grad


@every_probe
def test_fitting_keeps_the_features(make: Callable[[], FeatureProbe]) -> None:
    x, y = TRAIN[0].clone(), TRAIN[1].clone()
    make().fit(x, y)
    assert torch.equal(x, TRAIN[0])
    assert torch.equal(y, TRAIN[1])


@every_probe
def test_scores_have_a_column_for_each_class(make: Callable[[], FeatureProbe]) -> None:
    assert make().fit(*TRAIN)(TEST[0]).shape == (60, 3)


@every_probe
def test_classes_are_recognised_far_more_often_than_by_chance(
    make: Callable[[], FeatureProbe],
) -> None:
    x, y = (torch.cat(each) for each in zip(TRAIN, TEST, strict=True))
    centred = x - x.mean(dim=0)
    scores = make().fit(centred, y)(centred)
    assert accuracy(scores, y) > 0.4


@every_probe
def test_probes_of_features_judge_untrained_networks(
    make: Callable[[], FeatureProbe],
) -> None:
    assert make().judges_untrained


@every_probe
def test_scores_keep_the_precision_of_features(
    make: Callable[[], FeatureProbe],
) -> None:
    def single(x: Tensor) -> Tensor:
        return make().fit(TRAIN[0].float(), TRAIN[1])(x)

    assert single(TEST[0].float()).dtype == torch.float32


def test_no_probe_is_refused() -> None:
    with pytest.raises(ValueError, match="probes is empty"):
        check_names([])


def test_probes_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="different names, got knn, ncm, knn"):
        check_names([KNNProbe(k=1), NearestMeanProbe(), KNNProbe(k=5)])
