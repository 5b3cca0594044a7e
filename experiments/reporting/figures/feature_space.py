"""Features in two dimensions, coloured by class and by experience."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.constants import FEATURES
from experiments.reporting.figures.projection import Integers, Sample, project
from experiments.reporting.figures.style import wrapped
from experiments.sweep import Group

CAPTION = (
    "Features of test images after the last experience, on their first two principal "
    "components (each network has its own), coloured by class and by the experience "
    "they belong to; seed {seed}."
)
MOST_CLASSES = 20
"""Largest number of classes that colours can distinguish."""
ACROSS, WIDTH = 2, 4.6
"""Panels in a row, and the width of each in inches."""


@dataclass(frozen=True)
class Colouring:
    """Meaning of the colours of a panel."""

    title: str
    of: Callable[[Sample], Integers]
    map: str


CLASS = Colouring("class", lambda sample: sample.labels, "tab20")
MANY_CLASSES = Colouring("class", lambda sample: sample.labels, "turbo")
EXPERIENCE = Colouring("experience", lambda sample: sample.experience, "viridis")


def draw(group: Group) -> Figure | None:
    """Draw each network whose features the first seed's run kept."""
    samples = _samples(group)
    if not samples:
        return None
    colourings = _colourings(next(iter(samples.values())))
    across = min(ACROSS // len(colourings), len(samples))
    down, width = -(-len(samples) // across), WIDTH * len(colourings)
    figure = Figure((width * across, 3.5 * down), layout="constrained")
    parts = figure.subfigures(down, across, squeeze=False).flat
    for part, (name, sample) in zip(parts, samples.items(), strict=False):
        part.suptitle(wrapped(name, width), fontsize=11)
        points, shares = project(sample.features)
        panels = part.subplots(1, len(colourings), squeeze=False)[0]
        for axes, colouring in zip(panels, colourings, strict=True):
            _scatter(axes, points, colouring, sample)
            axes.set_xlabel(f"first component ({shares[0]:.0%})", fontsize=8)
            axes.set_ylabel(f"second component ({shares[1]:.0%})", fontsize=8)
    return figure


def _samples(group: Group) -> dict[str, Sample]:
    runs = group.seed_results[0].runs
    paths = {
        name: runs[name].folder / FEATURES.format(name=name)
        for name in group.names
        if name in runs
    }
    return {name: Sample.read(path) for name, path in paths.items() if path.is_file()}


def _colourings(sample: Sample) -> list[Colouring]:
    few = len(np.unique(sample.labels)) <= MOST_CLASSES
    several = len(np.unique(sample.experience)) > 1
    chosen = [CLASS] * few + [EXPERIENCE] * several
    return chosen or [MANY_CLASSES]


def _scatter(
    axes: Any, points: NDArray[np.float64], colouring: Colouring, sample: Sample
) -> None:
    values = colouring.of(sample)
    kinds = np.unique(values)
    ranks = np.searchsorted(kinds, values)
    colours = _colours(colouring.map, len(kinds))
    axes.scatter(*points.T, c=colours[ranks], s=7, linewidths=0)
    axes.set_title(f"by {colouring.title}", fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")
    if len(kinds) <= MOST_CLASSES:
        _legend(axes, colouring, kinds, colours)


def _colours(name: str, count: int) -> NDArray[np.float64]:
    """Choose colours from a list, or spread over a scale if there are many."""
    listed = name == CLASS.map
    colours = matplotlib.colormaps["tab10" if listed and count <= 10 else name]
    return np.asarray(colours(np.arange(count) if listed else np.linspace(0, 1, count)))


def _legend(axes: Any, colouring: Colouring, kinds: Integers, colours: Any) -> None:
    # Experiences are counted from 1 wherever they are shown, classes are names.
    first = int(colouring is EXPERIENCE)
    for kind, colour in zip(kinds, colours, strict=True):
        axes.scatter([], [], color=colour, s=18, label=str(kind + first))
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        fontsize=7,
        ncols=1 + (len(kinds) > 10),
        columnspacing=0.6,
        handletextpad=0.1,
        frameon=False,
    )
