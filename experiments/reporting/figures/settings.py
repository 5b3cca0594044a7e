"""The settings of a sweep side by side."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.reporting.figures.style import (
    LEVELS,
    MARKS,
    legend,
    style,
    tidy,
    wrapped,
)
from experiments.reporting.measures import AVERAGE, FORGETTING
from experiments.reporting.rows import Row, Values
from experiments.seed_results import is_learner
from experiments.sweep import Group

CAPTION = (
    "Average accuracy after the last experience, and forgetting, of the {probe} probe "
    "for each setting of the sweep; mean and deviation over seeds. Lines across are "
    "references that are the same in all settings."
)
PANELS = {AVERAGE: "%", FORGETTING: "points, lower is better"}
LABEL = 3.2
"""Width of the settings' names, in inches."""


def draw(groups: Sequence[Group], rows: Sequence[Row], probe: str) -> Figure | None:
    """Draw mean and deviation of average accuracy and, if defined, forgetting."""
    defined = [title for title in PANELS if any(_values(row, title) for row in rows)]
    if not defined:
        return None
    names = list(dict.fromkeys(row.name for row in rows))
    places = {group.label: y for y, group in enumerate(groups)}
    labels = [wrapped(label, LABEL) for label in places]
    lines = sum(max(2.2, 1 + label.count("\n")) for label in labels)
    figure = Figure((6 + LABEL, 1.6 + 0.2 * lines), layout="constrained")
    panels = figure.subplots(1, len(defined), sharey=True, squeeze=False)[0]
    for axes, title in zip(panels, defined, strict=True):
        for row in rows:
            if values := _values(row, title):
                _point(axes, row, values, places.get(row.setting), names)
        axes.set_xlabel(f"{title}, {probe} probe\n({PANELS[title]})")
        tidy(axes)
    panels[0].set_ylim(len(places) - 0.5, -0.5)
    panels[0].set_yticks(range(len(labels)), labels, fontsize=9)
    legend(figure, panels)
    return figure


def _values(row: Row, title: str) -> Values:
    """Defined values of the first probe that has the figure, the main one."""
    found = (values for measure, values in row.values.items() if measure.title == title)
    return {seed: value for seed, value in next(found, {}).items() if isfinite(value)}


def _point(
    axes: Any, row: Row, values: Values, y: int | None, names: Sequence[str]
) -> None:
    percent = 100 * np.array(list(values.values()))
    if y is None:
        axes.axvline(percent.mean(), lw=1.2, label=row.name, **LEVELS[row.name])
        return
    looks = style(names)
    learners = list(looks)
    if is_learner(row.name):
        shift = 0.5 * ((learners.index(row.name) + 0.5) / len(learners) - 0.5)
        look = {"ms": 5, **looks[row.name]}
    else:
        shift, look = 0.0, {"marker": MARKS[row.name], "ms": 8, "color": "#333333"}
    deviation = percent.std(ddof=len(percent) > 1)
    label = row.name if row.name not in axes.get_legend_handles_labels()[1] else None
    axes.errorbar(
        percent.mean(), y + shift, xerr=deviation, ls="", capsize=3, label=label, **look
    )
