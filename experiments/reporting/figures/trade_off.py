"""Stability against plasticity."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.reporting.figures.style import legend, style, tidy
from experiments.reporting.measures import FORGETTING, PLASTICITY, over_stream
from experiments.reporting.rows import Values, by_seed
from experiments.sweep import Group

CAPTION = (
    "Stability S against plasticity P of the {probe} probe: up and to the right is "
    "better. Large: means over seeds with one deviation; small: each "
    "seed.{plasticity} Here a[t, k] is the accuracy on experience k after experience t."
)


def draw(group: Group) -> Figure | None:
    """Draw a point for each learner; None unless both figures are defined for some."""
    found = {m.title: m for m in over_stream(group.probe)}
    looks, points, seeds = style(group.names), {}, group.seed_results
    for name in looks:
        s, p = (by_seed(seeds, name, found[t]) for t in (FORGETTING, PLASTICITY))
        if len(pairs := _pairs(s, p)):
            points[name] = pairs
    if not points:
        return None
    figure = Figure((5.6, 4.8), layout="constrained")
    axes = figure.subplots()
    for name, pairs in points.items():
        mean, deviation = pairs.mean(axis=0), pairs.std(axis=0, ddof=len(pairs) > 1)
        axes.scatter(pairs[:, 0], pairs[:, 1], s=14, alpha=0.45, **looks[name])
        axes.errorbar(
            x=mean[0],
            y=mean[1],
            xerr=deviation[0],
            yerr=deviation[1],
            fmt="",
            linestyle="",
            markersize=9,
            capsize=3,
            label=name,
            **looks[name],
        )
    axes.set_xlabel(f"stability S, {group.probe} probe (points, lower is better)")
    axes.set_ylabel(f"plasticity P, {group.probe} probe (points, higher is better)")
    axes.invert_xaxis()
    axes.margins(0.12)
    tidy(axes)
    legend(figure, [axes])
    return figure


def _pairs(s: Values, p: Values) -> NDArray[np.float64]:
    """S and P in points of each seed for which both are defined, shape (n, 2)."""
    both = [(100 * s[seed], 100 * p[seed]) for seed in s.keys() & p.keys()]
    return np.array([pair for pair in both if np.isfinite(pair).all()]).reshape(-1, 2)
