from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from avalanche_pnr import ConvexProbe, KNNProbe, SemiSupervisedProbe
from avalanche_pnr.evaluation import FeatureProbe, Readout
from tests.evaluation.probes.conftest import TEST, TRAIN

IMAGES = torch.arange(1000)[:, None]
UNEQUAL = torch.tensor([0] * 700 + [1] * 240 + [2] * 57 + [3] * 3)


class Remembers(FeatureProbe):
    """Keeps what it is fitted to."""

    name = "memory"

    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        self.features, self.labels = features, labels
        return _Nothing()


class _Nothing:
    details: Mapping[str, float] = {"Found": 1.0}

    def __call__(self, features: Tensor) -> Tensor:
        return features


def _chosen(fraction: float, seed: int = 0) -> tuple[list[int], Tensor]:
    probe = Remembers()
    SemiSupervisedProbe(fraction, probe, seed).fit(IMAGES, UNEQUAL)
    assert torch.equal(UNEQUAL[probe.features[:, 0]], probe.labels)
    rows = probe.features[:, 0].tolist()
    assert len(set(rows)) == len(rows), "an image counts once"
    return sorted(rows), probe.labels


@pytest.mark.parametrize(
    ("fraction", "images"),
    [
        (0.01, [7, 2, 1, 1]),
        (0.1, [70, 24, 6, 1]),
        (0.5, [350, 120, 28, 2]),
        (1.0, [700, 240, 57, 3]),
    ],
)
def test_each_class_gives_its_fraction_and_one_image_at_least(
    fraction: float, images: list[int]
) -> None:
    assert _chosen(fraction)[1].bincount().tolist() == images


def test_the_seed_decides_which_images() -> None:
    assert _chosen(0.1, seed=0)[0] == _chosen(0.1, seed=0)[0]
    assert _chosen(0.1, seed=0)[0] != _chosen(0.1, seed=1)[0]


def test_images_are_drawn_and_not_the_first_of_each_class() -> None:
    first, images = _chosen(0.1)[0], set()
    assert first[:70] != list(range(70))
    for seed in range(60):
        images |= set(_chosen(0.1, seed)[0])
    assert len(images) > 990


def test_all_labels_are_the_probe_itself() -> None:
    whole = SemiSupervisedProbe(1.0, KNNProbe(k=5)).fit(*TRAIN)(TEST[0])
    torch.testing.assert_close(whole, KNNProbe(k=5).fit(*TRAIN)(TEST[0]))


def test_the_default_is_the_optimum_for_few_labels() -> None:
    probe = SemiSupervisedProbe(0.1)
    rows = torch.from_numpy(probe._choose(TRAIN[1]))
    assert len(rows) == 9
    expected = ConvexProbe().fit(TRAIN[0][rows], TRAIN[1][rows])
    readout = probe.fit(*TRAIN)
    torch.testing.assert_close(readout(TEST[0]), expected(TEST[0]))
    assert readout.details["GradientRatio"] < 1e-6


def test_names_and_descriptions_hold_the_percentage() -> None:
    assert SemiSupervisedProbe(0.01).name == "convex_1pct"
    assert SemiSupervisedProbe(0.1, KNNProbe()).name == "knn_10pct"
    assert SemiSupervisedProbe(0.1, name="few").name == "few"
    expected = "knn_1pct (1 % of the labels, knn (k = 20, temperature 0.07))"
    assert str(SemiSupervisedProbe(0.01, KNNProbe())) == expected


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction: Any) -> None:
    with pytest.raises(ValueError, match=r"fraction in \(0, 1\], got"):
        SemiSupervisedProbe(fraction)
