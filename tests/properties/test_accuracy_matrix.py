"""Figures of the accuracy matrix, for any matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from avalanche_pnr.evaluation import accuracy_matrix as records_to_matrix
from avalanche_pnr.evaluation.accuracy_matrix import (
    Matrix,
    average_accuracy,
    average_incremental_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    plasticity,
)

accuracies = st.floats(0, 1)
squares = st.integers(2, 8).flatmap(
    lambda size: arrays(np.float64, (size, size), elements=accuracies)
)


@given(a=squares)
def test_figures_stay_within_their_bounds(a: Matrix) -> None:
    row = a[0]
    assert 0 <= average_accuracy(a) <= 1 + 1e-12
    assert 0 <= average_incremental_accuracy(a) <= 1 + 1e-12
    assert 0 <= forgetting(a) <= 1
    assert forgetting(a) >= -backward_transfer(a) - 1e-12
    for figure in (
        backward_transfer(a),
        forward_transfer(a, row),
        plasticity(a, row),
    ):
        assert -1 - 1e-12 <= figure <= 1 + 1e-12


@given(a=squares, gain=st.floats(0, 0.5))
def test_a_constant_gain_moves_accuracies_and_no_differences(
    a: Matrix, gain: float
) -> None:
    better = a + gain
    assert average_accuracy(better) == pytest.approx(average_accuracy(a) + gain)
    for figure in (forgetting, backward_transfer):
        assert figure(better) == pytest.approx(figure(a), abs=1e-9)


@given(
    a=st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=accuracies)
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_lines_in_any_order_give_the_matrix_back(a: Matrix, seed: int) -> None:
    lines = [
        {
            "metric": "Linear_Acc_Exp",
            "stream": "test",
            "after": t + 1,
            "experience": k,
            "value": value,
        }
        for (t, k), value in np.ndenumerate(a)
    ]
    order = np.random.default_rng(seed).permutation(len(lines))
    shuffled = [lines[index] for index in order]
    assert np.array_equal(records_to_matrix(shuffled, "Linear_Acc_Exp"), a)
