r"""Figures computed from the accuracy matrix a[t, k].

Row t is the model after experience t, column k the test data of experience k. The
formulas count from 1 to T, the arrays from 0, and the matrix is full: rows hold the
accuracy on future experiences too.

A figure that is not defined is NaN, never 0. All but :func:`average_accuracy` need a
square matrix, whose column k belongs to experience k: Data-IL has one test set for all,
hence a single column, and an unfinished run lacks rows. Figures that compare
experiences need two of them. Cells that a formula does not read may be NaN.
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
"""Accuracies, shape (T, K)."""

Row = NDArray[np.float64]
"""Accuracies, one for each experience's test data, shape (K,)."""


def average_accuracy(a: Matrix) -> float:
    r"""Average over the experiences in the end, A_T = 1/K sum_k a[T, k].

    Args:
        a: Accuracy matrix, shape (T, K).

    Source: Lopez-Paz & Ranzato 2017, arXiv 1706.08840, section 2 (ACC).
    """
    return float(a[-1].mean())


def average_incremental_accuracy(a: Matrix) -> float:
    r"""Average accuracy on what was seen so far, 1/T sum_t 1/t sum_{k<=t} a[t, k].

    Args:
        a: Accuracy matrix, shape (T, T).

    Returns:
        The mean, or NaN where columns are not those of the experiences.

    Source: Rebuffi et al. 2017 (iCaRL), arXiv 1611.07725, section 4; one classifier
    over all classes is read here, theirs over the classes seen.
    """
    if not _is_square(a):
        return float("nan")
    return float(np.mean([row[: t + 1].mean() for t, row in enumerate(a)]))


def forgetting(a: Matrix) -> float:
    r"""Average the drop from the best, F = 1/(T-1) sum_{k<T} max_t (a[t, k] - a[T, k]).

    The best is taken over all rows, so the figure is never below 0. Lower is better.

    Args:
        a: Accuracy matrix, shape (T, T).

    Returns:
        The mean, or NaN where it is not defined, which is with a single experience, and
        on streams such as Data-IL, whose one test set is no experience's own.

    Source: Chaudhry et al. 2018, arXiv 1801.10112, section 3.2; there the best is
    taken over t < T, and a drop may be negative.
    """
    if not _compares(a):
        return float("nan")
    return float((a.max(axis=0) - a[-1])[:-1].mean())


stability = forgetting
"""The name S for the same figure, beside :func:`plasticity`; lower is better."""


def backward_transfer(a: Matrix) -> float:
    r"""Average the change since learning, BWT = 1/(T-1) sum_{k<T} (a[T, k] - a[k, k]).

    Args:
        a: Accuracy matrix, shape (T, T).

    Returns:
        The mean, below 0 where accuracy was lost, or NaN where it is not defined.

    Source: Lopez-Paz & Ranzato 2017, arXiv 1706.08840, section 2 (BWT).
    """
    if not _compares(a):
        return float("nan")
    return float((a[-1] - a.diagonal())[:-1].mean())


def forward_transfer(a: Matrix, random: Row) -> float:
    r"""Average the head start, FWT = 1/(T-1) sum_{k>=2} (a[k-1, k] - r[k]).

    Args:
        a: Accuracy matrix, shape (T, T).
        random: The untrained backbone's accuracies r, shape (T,).

    Returns:
        The mean, or NaN where it is not defined.

    Raises:
        ValueError: If ``random`` does not have one value for each column.

    Source: Lopez-Paz & Ranzato 2017, arXiv 1706.08840, section 2 (FWT).
    """
    _check_row(random, a, "random")
    if not _compares(a):
        return float("nan")
    return float((a.diagonal(offset=1) - random[1:]).mean())


def plasticity(a: Matrix, single: Row) -> float:
    r"""Compare accuracy on later experiences with models trained on each alone.

    P = 1/(T-1) sum_{t=1}^{T-1} 1/(T-t) sum_{k>t} (a[t, k] - FT[k]): the accuracy on
    experience k after experience t minus that of a model trained on experience k
    alone. Higher is better.

    Args:
        a: Accuracy matrix, shape (T, T).
        single: FT, the accuracy on each experience's test data of the model trained
            on that experience alone, shape (T,). The first is not used.

    Returns:
        The mean, or NaN where it is not defined.

    Raises:
        ValueError: If ``single`` does not have one value for each column.

    Source: after Cha, Cho & Moon 2024, arXiv 2306.05101, whose exact form is
    unconfirmed: state this formula beside the number.
    """
    _check_row(single, a, "single")
    if not _compares(a):
        return float("nan")
    gains = a - single
    return float(np.mean([gains[j, j + 1 :].mean() for j in range(len(a) - 1)]))


def _is_square(a: Matrix) -> bool:
    return len(a) == len(a.T)


def _compares(a: Matrix) -> bool:
    return _is_square(a) and len(a) > 1


def _check_row(row: Row, a: Matrix, name: str) -> None:
    if np.shape(row) != a.shape[1:]:
        raise ValueError(
            f"{name} has shape {np.shape(row)}, but the matrix has {a.shape[1]} "
            "columns: give one accuracy for each experience's test data"
        )
