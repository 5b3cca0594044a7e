"""Drift of the representation of old data."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from avalanche_pnr.evaluation.accuracy_matrix import Matrix
from experiments.reporting.figures.style import Series, draw_series, legend, steps
from experiments.seed_results import SeedResults, is_learner
from experiments.sweep import Group

CAPTION = (
    "Linear CKA between the features of an experience's images now and when it had "
    "just been learnt: 1 where nothing has moved. Left: mean over all experiences "
    "before the present one; right: the first experience."
)
METRIC = "CKA_Exp"


def draw(group: Group) -> Figure | None:
    """Draw mean and deviation over seeds of each learner, if the runs measured it."""
    panels: dict[str, Series] = {
        "mean over old experiences": _old,
        "first experience": _first,
    }
    figure = Figure((8.4, 3.9), layout="constrained")
    both = figure.subplots(1, 2, sharey=True)
    for axes, (title, series) in zip(both, panels.items(), strict=True):
        if not draw_series(axes, group.seed_results, group.names, series):
            return None
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("experiences trained")
        steps(axes, group.runs[0].experiences)
    both[0].set_ylabel("CKA with features at the experience's end")
    legend(figure, both)
    return figure


def _old(results: SeedResults, name: str) -> dict[int, float]:
    """Mean over the experiences before the present one."""
    a = _cka(results, name)
    return _finite({t: a[t - 1, : t - 1].mean() for t in range(2, len(a) + 1)})


def _first(results: SeedResults, name: str) -> dict[int, float]:
    return _finite({t: row[0] for t, row in enumerate(_cka(results, name), start=1)})


def _cka(results: SeedResults, name: str) -> Matrix:
    """CKA of experience k after experience t, shape (T, K); no rows if not measured."""
    run = results.runs.get(name)
    if run is None or not is_learner(name) or not run.cells(name, METRIC):
        return np.empty((0, 0))
    return run.matrix(name, METRIC)


def _finite(values: dict[int, Any]) -> dict[int, float]:
    return {t: float(value) for t, value in values.items() if np.isfinite(value)}
