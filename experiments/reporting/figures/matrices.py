"""Accuracy matrices as heat maps."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from avalanche_pnr.evaluation.accuracy_matrix import Matrix
from experiments.reporting.figures.style import wrapped
from experiments.reporting.measures import FORGETTING, PLASTICITY, over_stream
from experiments.reporting.rows import by_seed
from experiments.reporting.summaries import Summary
from experiments.seed_results import is_learner
from experiments.sweep import Group

CAPTION = (
    "Accuracy of the {probe} probe on the test data of each experience (columns) after "
    "each experience (rows), in percent; one classifier over all classes, without "
    "masking: a[t, k]. S: forgetting, lower is better.{plasticity}"
)
WIDTH = 15.0
"""Largest width of the picture in inches, unless one matrix is wider."""
SYMBOLS = {FORGETTING: "S", PLASTICITY: "P"}


def draw(group: Group) -> Figure | None:
    """Draw the mean a[t, k] of each learner: rows t, columns k, values printed."""
    learners = filter(is_learner, group.names)
    found = {name: _matrices(group, name) for name in learners}
    means = {name: 100 * np.mean(each, axis=0) for name, each in found.items() if each}
    if not means:
        return None
    names = list(means)
    rows, columns = means[names[0]].shape
    cell = float(np.clip(3 / rows, 0.34, 0.6))
    width = max(cell * columns + 0.3, 2.1)
    # A single column would be too narrow for its name.
    aspect = "equal" if columns > 1 else "auto"
    across = min(len(names), max(int(WIDTH / width), 1))
    down = -(-len(names) // across)
    figure = Figure(
        (width * across + 1.4, (cell * rows + 1.8) * down), layout="compressed"
    )
    panels = figure.subplots(down, across, squeeze=False)
    low = min(a.min() for a in means.values())
    high = max(a.max() for a in means.values())
    for axes, name in zip(panels.flat, names, strict=False):
        scale = {"vmin": low, "vmax": high, "cmap": "viridis"}
        image = axes.imshow(means[name], aspect=aspect, **scale)
        _print_values(axes, means[name], (low + high) / 2, cell)
        _label(axes, (rows, columns), cell)
        axes.set_title(wrapped(name, 0.75 * width), fontsize=11)
        data = "test data of experience" if columns > 1 else "all test data"
        below = [data, *_figures(group, name)]
        axes.set_xlabel("\n".join(below), fontsize=9)
    for axes in panels[:, 0]:
        axes.set_ylabel("after experience", fontsize=9)
    for axes in panels.flat[len(names) :]:
        axes.set_visible(False)
    label = f"{group.probe} accuracy (%)"
    figure.colorbar(image, ax=panels, label=label, shrink=0.8 / down, aspect=25)
    return figure


def _matrices(group: Group, name: str) -> list[Matrix]:
    """Matrices of the seeds for which all values are defined."""
    metric = f"{group.probe.capitalize()}_Acc_Exp"
    found = (results.matrix(name, metric) for results in group.seed_results)
    return [a for a in found if a is not None]


def _figures(group: Group, name: str) -> list[str]:
    """S and P as far as they were measured."""
    found = {
        SYMBOLS[measure.title]: by_seed(group.seed_results, name, measure)
        for measure in over_stream(group.probe)
        if measure.title in SYMBOLS
    }
    return [
        f"{symbol}  {Summary.of(values.values())}"
        for symbol, values in found.items()
        if values
    ]


def _label(axes: Any, shape: tuple[int, int], cell: float) -> None:
    size = 9 if cell > 0.4 else 7
    for axis, count in zip((axes.yaxis, axes.xaxis), shape, strict=True):
        axis.set_ticks(range(count), range(1, count + 1), fontsize=size)
    axes.tick_params(length=0, labelbottom=shape[1] > 1)
    axes.spines[:].set_visible(False)


def _print_values(axes: Any, percent: Matrix, middle: float, cell: float) -> None:
    digits, size = (1, 9) if cell > 0.5 else (0, 8)
    for (t, k), value in np.ndenumerate(percent):
        colour = "white" if value < middle else "black"
        text = f"{value:.{digits}f}"
        axes.text(k, t, text, ha="center", va="center", color=colour, fontsize=size)
