from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from avalanche_pnr import LinearProbe
from tests.evaluation.probes.conftest import TEST, TRAIN, SGDByHand, make_features

QUICK: dict[str, Any] = {"epochs": 6, "milestones": (3, 5), "batch_size": 16}
DIVERGES = 1e308


def _standardised(x: Tensor) -> np.ndarray:
    mean, deviation = TRAIN[0].mean(dim=0), TRAIN[0].std(dim=0, correction=0)
    return ((x - mean) / deviation).numpy()


def _by_hand(rows: Sequence[int], lr: float, seed: int = 0) -> SGDByHand:
    """QUICK's training on some of TRAIN's images, standardised like all of them."""
    x, y = _standardised(TRAIN[0])[rows], TRAIN[1].numpy()[rows]
    sgd = SGDByHand(dim=5, classes=3, momentum=0.9)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(6):
        order = torch.randperm(len(x), generator=generator).numpy()
        for start in range(0, len(x), 16):
            batch = order[start : start + 16]
            sgd.step(x[batch], y[batch], lr * 0.1 ** ((epoch >= 3) + (epoch >= 5)))
    return sgd


@pytest.mark.parametrize("lr", [0.01, 1.0])
@pytest.mark.parametrize("seed", [0, 3])
def test_one_rate_is_sgd_written_out_by_hand(lr: float, seed: int) -> None:
    readout = LinearProbe([lr], seed=seed, **QUICK).fit(*TRAIN)
    expected = _by_hand(range(90), lr, seed).scores(_standardised(TEST[0]))
    actual = readout(TEST[0]).numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)
    assert readout.details == {"Lr": lr}


def test_rates_trained_at_once_give_what_each_gives_alone() -> None:
    probe, lrs = LinearProbe(**QUICK), [0.003, 0.1, 1.0]
    x, every = torch.from_numpy(_standardised(TRAIN[0])), torch.arange(90)
    weights, biases = probe._train(x, TRAIN[1], every, lrs)
    assert weights.shape == (3, 3, 5)
    for index, lr in enumerate(lrs):
        weight, bias = probe._train(x, TRAIN[1], every, [lr])
        torch.testing.assert_close(weights[index], weight[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(biases[index], bias[0], rtol=1e-9, atol=1e-12)


def test_the_rate_is_chosen_on_the_tenth_held_out() -> None:
    kept, held_out = train_test_split(
        np.arange(90), test_size=9, stratify=TRAIN[1], random_state=0
    )
    x, y = _standardised(TRAIN[0])[held_out], TRAIN[1].numpy()[held_out]
    places = set()
    for lrs in ([3.0, 0.1, 300.0], [0.05, 3.0, 300.0], [1000.0, 300.0, 0.03]):
        accuracies = [
            np.mean(_by_hand(kept, lr).scores(x).argmax(axis=1) == y) for lr in lrs
        ]
        best = int(np.argmax(accuracies))
        readout = LinearProbe(lrs, **QUICK).fit(*TRAIN)
        assert readout.details == {
            "Lr": lrs[best],
            "HeldOutAcc": pytest.approx(accuracies[best]),
        }
        alone = LinearProbe([lrs[best]], **QUICK).fit(*TRAIN)
        assert torch.equal(readout(TEST[0]), alone(TEST[0])), "trained on all images"
        places.add(best)
    assert len(places) > 1, "the choice ought to matter"


def test_a_rate_that_diverges_is_not_chosen() -> None:
    readout = LinearProbe([DIVERGES, 0.1], **QUICK).fit(*TRAIN)
    assert readout.details["Lr"] == 0.1
    assert readout.details["HeldOutAcc"] > 1 / 3
    assert readout(TEST[0]).isfinite().all()


def test_a_rate_that_diverges_gains_nothing_from_a_frequent_first_class() -> None:
    labels = (torch.arange(90) % 9 == 8).long()  # NaN scores would say class 0
    readout = LinearProbe([DIVERGES, 1e-3], **QUICK).fit(TRAIN[0], labels)
    assert readout.details["Lr"] == 1e-3


@pytest.mark.parametrize("lrs", [[DIVERGES], [DIVERGES, DIVERGES / 2]])
def test_a_probe_that_diverges_is_no_result(lrs: list[float]) -> None:
    with pytest.raises(FloatingPointError, match="diverged on these features: lower"):
        LinearProbe(lrs, **QUICK).fit(*TRAIN)


def test_few_images_are_enough_if_one_of_each_class_can_be_held_out() -> None:
    features, labels = make_features(9, seed=0)
    assert LinearProbe(**QUICK).fit(features, labels).details["Lr"] > 0


@pytest.mark.parametrize("images", [4, 5])
def test_the_only_image_of_a_class_is_not_held_out(images: int) -> None:
    features, labels = make_features(images, seed=0)
    readout = LinearProbe(**QUICK).fit(features, labels)
    assert {"Lr", "HeldOutAcc"} == readout.details.keys()
    assert readout(features).shape == (images, 3)


def test_where_no_class_has_two_images_the_middle_rate_is_taken() -> None:
    features, labels = make_features(3, seed=0)
    with pytest.warns(UserWarning, match=r"rate 0\.1, as no class has two labelled"):
        readout = LinearProbe([1.0, 0.1, 0.01], **QUICK).fit(features, labels)
    assert readout.details == {"Lr": 0.1}


def test_batches_and_the_images_held_out_are_drawn_by_the_seed() -> None:
    readouts = [LinearProbe(seed=seed, **QUICK).fit(*TRAIN) for seed in (0, 0, 1)]
    first, same, other = (readout(TEST[0]) for readout in readouts)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_linear_probe_leaves_out_a_feature_that_is_always_zero() -> None:
    dead_train, dead_test = torch.zeros(90, 1), torch.ones(60, 1)
    expected = LinearProbe(**QUICK).fit(*TRAIN)(TEST[0])
    readout = LinearProbe(**QUICK).fit(torch.cat([TRAIN[0], dead_train], 1), TRAIN[1])
    actual = readout(torch.cat([TEST[0], dead_test], 1))
    torch.testing.assert_close(actual, expected)


def test_linear_probe_does_not_care_for_scale_and_offset() -> None:
    scale, offset = torch.tensor([2.0, 1e3, 1e-2, 5.0, 1.0]), 7.0
    plain = LinearProbe(**QUICK).fit(*TRAIN)(TEST[0])
    moved = LinearProbe(**QUICK).fit(TRAIN[0] * scale + offset, TRAIN[1])
    torch.testing.assert_close(moved(TEST[0] * scale + offset), plain)


@pytest.mark.parametrize(
    ("images", "passes"),
    [(100, 100), (2_000, 100), (2_400, 84), (10_000, 20), (1_281_167, 10)],
)
def test_many_images_take_as_many_steps_as_two_thousand(
    images: int, passes: int
) -> None:
    assert LinearProbe().passes(images) == passes
    assert LinearProbe(epochs=6).passes(images) == 6


def test_milestones_move_with_the_number_of_passes() -> None:
    options = {**QUICK, "epochs": 60, "milestones": (30, 50)}
    fewer = LinearProbe([0.1], full_passes=30, **options)
    assert fewer.passes(90) == 20
    alone = LinearProbe([0.1], **{**QUICK, "epochs": 20, "milestones": (10, 17)})
    assert torch.equal(fewer.fit(*TRAIN)(TEST[0]), alone.fit(*TRAIN)(TEST[0]))


def test_linear_probe_says_what_it_is() -> None:
    assert str(LinearProbe()) == (
        "linear (SGD on cached features, 100 epochs (fewer over more than 2000 "
        "images), momentum 0.9, learning rate 0.003, 0.01, 0.03, 0.1, 0.3, 1 chosen on "
        "a tenth held out)"
    )
    assert str(LinearProbe([3.0], epochs=7)).endswith(
        "7 epochs, momentum 0.9, learning rate 3)"
    )


@pytest.mark.parametrize(
    "options", [{"lrs": []}, {"lrs": [0.1, 0.0]}, {"epochs": 0}, {"full_passes": 0}]
)
def test_linear_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="LinearProbe needs lrs > 0, and epochs"):
        LinearProbe(**options)
