import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from avalanche_pnr.evaluation import (
    average_accuracy,
    average_incremental_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    plasticity,
    stability,
)

# Rows: after experience 1, 2, 3, 4; columns: test data of experience 1, 2, 3, 4.
WORKED = np.array(
    [
        [0.90, 0.20, 0.10, 0.30],
        [0.60, 0.80, 0.30, 0.20],
        [0.70, 0.90, 0.75, 0.40],
        [0.50, 0.70, 0.65, 0.95],
    ]
)
RANDOM = np.array([0.15, 0.10, 0.05, 0.25])
SINGLE = np.array([0.95, 0.85, 0.80, 0.90])

Figure = Callable[..., float]
FIGURES: list[tuple[Figure, list[Any]]] = [
    (average_accuracy, []),
    (average_incremental_accuracy, []),
    (forgetting, []),
    (backward_transfer, []),
    (forward_transfer, [RANDOM]),
    (plasticity, [SINGLE]),
]
COMPARING = FIGURES[2:]


def test_the_worked_example_by_hand() -> None:
    assert average_accuracy(WORKED) == pytest.approx(
        (0.50 + 0.70 + 0.65 + 0.95) / 4  # the last row: 2.80 / 4
    )
    assert average_accuracy(WORKED) == pytest.approx(0.70)

    seen = [0.90, (0.60 + 0.80) / 2, (0.70 + 0.90 + 0.75) / 3, 2.80 / 4]
    assert average_incremental_accuracy(WORKED) == pytest.approx(sum(seen) / 4)

    # Best of the column minus its end: 0.90 - 0.50, 0.90 - 0.70, 0.75 - 0.65.
    assert forgetting(WORKED) == pytest.approx((0.40 + 0.20 + 0.10) / 3)

    # End of the column minus its diagonal: 0.50 - 0.90, 0.70 - 0.80, 0.65 - 0.75.
    assert backward_transfer(WORKED) == pytest.approx((-0.40 - 0.10 - 0.10) / 3)

    # Above the diagonal minus random: 0.20 - 0.10, 0.30 - 0.05, 0.40 - 0.25.
    assert forward_transfer(WORKED, RANDOM) == pytest.approx((0.10 + 0.25 + 0.15) / 3)

    # After 1, on 2, 3, 4: 0.20 - 0.85, 0.10 - 0.80, 0.30 - 0.90.
    # After 2, on 3, 4: 0.30 - 0.80, 0.20 - 0.90. After 3, on 4: 0.40 - 0.90.
    gains = [(-0.65 - 0.70 - 0.60) / 3, (-0.50 - 0.70) / 2, -0.50]
    assert plasticity(WORKED, SINGLE) == pytest.approx(sum(gains) / 3)


def test_stability_is_forgetting_under_another_name() -> None:
    assert stability is forgetting


@pytest.mark.parametrize("size", [2, 3, 7])
def test_the_figures_are_those_of_loops_over_the_formulas(size: int) -> None:
    rng = np.random.default_rng(size)
    a, random, single = rng.random((size, size)), rng.random(size), rng.random(size)
    last, sums = size - 1, {"f": 0.0, "b": 0.0, "fwd": 0.0, "p": 0.0, "inc": 0.0}
    for k in range(last):
        sums["f"] += max(a[t, k] - a[last, k] for t in range(size))
        sums["b"] += a[last, k] - a[k, k]
        sums["fwd"] += a[k, k + 1] - random[k + 1]
        later = [a[k, i] - single[i] for i in range(k + 1, size)]
        sums["p"] += sum(later) / len(later)
    for t in range(size):
        sums["inc"] += sum(a[t, k] for k in range(t + 1)) / (t + 1)
    assert forgetting(a) == pytest.approx(sums["f"] / last)
    assert backward_transfer(a) == pytest.approx(sums["b"] / last)
    assert forward_transfer(a, random) == pytest.approx(sums["fwd"] / last)
    assert plasticity(a, single) == pytest.approx(sums["p"] / last)
    assert average_incremental_accuracy(a) == pytest.approx(sums["inc"] / size)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_where_nothing_changes_nothing_is_lost_or_gained(value: float) -> None:
    a, row = np.full((4, 4), value), np.full(4, value)
    assert forgetting(a) == backward_transfer(a) == 0
    assert forward_transfer(a, row) == plasticity(a, row) == 0
    assert average_accuracy(a) == average_incremental_accuracy(a) == value


def test_forgetting_is_the_loss_since_learning_if_that_was_the_best() -> None:
    a = np.array([[0.9, 0.1, 0.1], [0.7, 0.8, 0.1], [0.6, 0.5, 0.7]])
    assert forgetting(a) == pytest.approx(-backward_transfer(a))


def test_the_best_may_be_from_before_the_experience() -> None:
    a = np.array([[0.9, 0.99, 0.1], [0.6, 0.8, 0.3], [0.5, 0.7, 0.95]])
    assert forgetting(a) == pytest.approx(((0.9 - 0.5) + (0.99 - 0.7)) / 2)


def test_what_ends_at_its_best_has_forgotten_nothing() -> None:
    a = np.array([[0.5, 0.0, 0.0], [0.6, 0.6, 0.0], [0.8, 0.7, 0.9]])
    assert forgetting(a) == 0
    assert backward_transfer(a) == pytest.approx((0.3 + 0.1) / 2)


def test_the_future_counts_for_what_lies_ahead_only() -> None:
    blind = np.where(np.triu(np.ones((4, 4)), k=1), np.nan, WORKED)
    assert average_incremental_accuracy(blind) == average_incremental_accuracy(WORKED)
    assert backward_transfer(blind) == backward_transfer(WORKED)
    assert math.isnan(forgetting(blind))
    assert math.isnan(forward_transfer(blind, RANDOM))
    assert math.isnan(plasticity(blind, SINGLE))


def test_what_was_not_trained_alone_but_is_not_needed_may_be_nan() -> None:
    later_only = np.array([np.nan, *SINGLE[1:]])
    assert plasticity(WORKED, later_only) == plasticity(WORKED, SINGLE)
    assert math.isnan(plasticity(WORKED, np.array([*SINGLE[:3], np.nan])))


@pytest.mark.parametrize(("figure", "row"), FIGURES)
def test_a_missing_value_makes_the_figure_undefined(
    figure: Figure, row: list[Any]
) -> None:
    assert math.isnan(figure(np.full((3, 3), np.nan), *(r[:3] for r in row)))


@pytest.mark.parametrize(("figure", "row"), FIGURES[1:])
@pytest.mark.parametrize("shape", [(3, 1), (3, 4)], ids=["one test set", "unfinished"])
def test_without_a_test_set_for_each_experience_nothing_is_defined(
    figure: Figure, row: list[Any], shape: tuple[int, int]
) -> None:
    assert math.isnan(figure(np.full(shape, 0.5), *(r[: shape[1]] for r in row)))


@pytest.mark.parametrize(("figure", "row"), COMPARING)
def test_a_single_experience_has_nothing_to_compare_with(
    figure: Figure, row: list[Any]
) -> None:
    assert math.isnan(figure(np.array([[0.7]]), *(r[:1] for r in row)))


def test_a_single_experience_has_an_accuracy() -> None:
    a = np.array([[0.7]])
    assert average_accuracy(a) == average_incremental_accuracy(a) == 0.7


def test_one_test_set_for_all_has_an_accuracy_in_the_end() -> None:
    assert average_accuracy(np.array([[0.5], [0.4], [0.6]])) == 0.6


@pytest.mark.parametrize(
    ("figure", "name"), [(forward_transfer, "random"), (plasticity, "single")]
)
def test_a_row_that_does_not_fit_the_columns_is_refused(
    figure: Figure, name: str
) -> None:
    with pytest.raises(ValueError, match=rf"{name} has shape \(3,\).* 4 columns"):
        figure(WORKED, RANDOM[:3])
