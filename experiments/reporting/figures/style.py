"""Style of all pictures."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.constants import JOINT, RANDOM, RAW, SINGLE
from experiments.seed_results import SeedResults, is_learner, is_trained

# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = (
    "#666666",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)
MARKERS = "osD^v<>P"
KNOWN = ("finetune", "cassle", "pnr")
"""Styles that are the same in every report, whatever else is in it."""
LEVELS: dict[str, dict[str, Any]] = {
    RAW: {"linestyle": (0, (1, 2)), "color": "#999999"},
    RANDOM: {"linestyle": (0, (1, 1)), "color": "#333333"},
    SINGLE: {"linestyle": (0, (5, 2)), "color": "#333333"},
    JOINT: {"linestyle": "-", "color": "#333333"},
}
"""References, as lines across a picture."""
MARKS = {RAW: "x", RANDOM: "|", SINGLE: "<", JOINT: ">"}
"""References, as points of a setting."""
CHARACTERS = 13
"""Number of characters of the usual size in an inch."""

Series = Callable[[SeedResults, str], dict[int, float]]
"""Function to a figure after each experience, by number; empty if not measured."""


def style(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Choose the colour and marker of each learner among some names."""
    learners = dict.fromkeys([*KNOWN, *filter(is_learner, names)])
    looks = {
        name: {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
        }
        for index, name in enumerate(learners)
    }
    return {name: looks[name] for name in names if is_learner(name)}


def draw_series(
    axes: Any, seed_results: Sequence[SeedResults], names: Sequence[str], series: Series
) -> bool:
    """Draw a curve for each learner, a level for each reference.

    Both are means over seeds; learners have a band of one sample deviation.

    Returns:
        True if there was a curve.
    """
    looks, curves = style(names), 0
    for name in names:
        lines = [line for results in seed_results if (line := series(results, name))]
        if lines and name in looks:
            _curve(axes, lines, looks[name], name)
            curves += 1
        elif lines:
            _level(axes, lines, name)
    tidy(axes)
    return curves > 0


def tidy(axes: Any) -> None:
    """Draw a light grid, and no frame above and to the right."""
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def steps(axes: Any, count: int) -> None:
    """Set ticks for experiences, not so many that they touch."""
    every = -(-count // 10)
    axes.set_xticks(range(1, count + 1, every))
    axes.set_xlim(1 - 0.04 * count, count + 0.04 * count)


def legend(figure: Figure, panels: Iterable[Any]) -> None:
    """Draw one legend below all panels, in as many columns as its names allow."""
    entries: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries = {**dict(zip(labels, handles, strict=True)), **entries}
    longest = max(map(len, entries)) + 6
    columns = int(figure.get_figwidth() * CHARACTERS / longest)
    figure.legend(
        entries.values(),
        entries,
        loc="outside lower center",
        ncols=min(max(columns, 1), len(entries)),
        fontsize="small",
        frameon=False,
    )


def wrapped(text: str, inches: float) -> str:
    """Wrap text to a width, breaking at spaces and after underscores."""
    lines = textwrap.fill(text.replace("_", "_ "), max(int(inches * CHARACTERS), 8))
    return lines.replace("_ ", "_")


def _level(axes: Any, lines: list[dict[int, float]], name: str) -> None:
    levels = np.array([np.mean(list(line.values())) for line in lines])
    mean, look = levels.mean(), LEVELS[name]
    axes.axhline(mean, lw=1.2, label=name, zorder=1, **look)
    if len(levels) > 1 and is_trained(name):
        low, high = mean - levels.std(ddof=1), mean + levels.std(ddof=1)
        axes.axhspan(low, high, color=look["color"], alpha=0.08, lw=0, zorder=0)


def _curve(
    axes: Any, lines: list[dict[int, float]], look: dict[str, Any], name: str
) -> None:
    at = sorted(set.intersection(*map(set, lines)))
    values = np.array([[line[step] for step in at] for line in lines])
    mean = values.mean(axis=0)
    axes.plot(at, mean, label=name, linewidth=1.6, markersize=4.5, **look)
    if len(lines) > 1:
        deviation = values.std(axis=0, ddof=1)
        axes.fill_between(
            at,
            mean - deviation,
            mean + deviation,
            color=look["color"],
            alpha=0.15,
            linewidth=0,
        )
