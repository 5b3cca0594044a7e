"""Pictures of a report."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.results import LINEAR, Run, table
from experiments.run import REFERENCES
from experiments.sweep import Group

MARKS = dict(zip(REFERENCES, ("kx", "k|"), strict=True))
COLOURS = ("#7f7f7f", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")


def accuracy_matrices(runs: list[Run]) -> Figure:
    """Mean a[t, k] of each regularizer: rows t, columns k, values printed."""
    names = runs[0].config["regularizers"]
    means = [np.mean([run.matrix(name, LINEAR) for run in runs], 0) for name in names]
    low, high = min(a.min() for a in means), max(a.max() for a in means)
    figure = Figure(figsize=(0.6 + 3.1 * len(names), 3.4), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name, a in zip(panels, names, means, strict=True):
        image = axes.imshow(100 * a, vmin=100 * low, vmax=100 * high, cmap="viridis")
        _print_values(axes, 100 * a, 50 * (low + high))
        axes.set(title=name, xlabel="test data of experience")
        axes.set_xticks(range(a.shape[1]), range(1, a.shape[1] + 1))
        axes.set_yticks(range(a.shape[0]), range(1, a.shape[0] + 1))
    panels[0].set_ylabel("after experience")
    figure.colorbar(image, ax=panels, label="linear accuracy (%)", shrink=0.8)
    return figure


def curves(runs: list[Run]) -> Figure:
    """Accuracy over all test data after each experience, mean and deviation."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    names = runs[0].config["regularizers"]
    for name, colour in zip(names, _colours(len(names)), strict=True):
        values = 100 * np.array([run.matrix(name, LINEAR).mean(1) for run in runs])
        steps, mean = np.arange(1, values.shape[1] + 1), values.mean(axis=0)
        axes.plot(steps, mean, "o-", color=colour, label=name)
        if len(runs) > 1:
            deviation = values.std(axis=0, ddof=1)
            axes.fill_between(
                steps, mean - deviation, mean + deviation, color=colour, alpha=0.15
            )
    for name, style in zip(runs[0].config["references"], (":", "--"), strict=False):
        level = 100 * np.mean([run.matrix(name, LINEAR).mean() for run in runs])
        axes.axhline(level, color="black", linestyle=style, linewidth=1, label=name)
    axes.set(xlabel="experiences trained", ylabel="linear accuracy, all classes (%)")
    axes.set_xticks(steps)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize="small", ncols=len(names) + 2)
    return figure


def sweep(groups: list[Group]) -> Figure:
    """Average accuracy and forgetting of each setting, mean and deviation."""
    tables = [{row.name: row for row in table(group.runs)} for group in groups]
    names = list(dict.fromkeys(name for rows in tables for name in rows))
    trained = [name for name in names if name not in REFERENCES]
    colours = dict(zip(trained, _colours(len(trained)), strict=True))
    figure = Figure(figsize=(8, 1.6 + 0.5 * len(groups)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for name in names:
        rows = {y: rows[name] for y, rows in enumerate(tables) if name in rows}
        average = {y: row.average for y, row in rows.items()}
        if name in REFERENCES:
            _error_bars(panels[0], average, 0, fmt=MARKS[name], ms=10, label=name)
            continue
        shift = 0.15 * (trained.index(name) - (len(trained) - 1) / 2)
        style = {"fmt": "o", "color": colours[name], "label": name}
        forgetting = {y: row.forgetting for y, row in rows.items()}
        _error_bars(panels[0], average, shift, **style)
        _error_bars(panels[1], forgetting, shift, **style)
    panels[0].set(xlabel="average accuracy (%)", ylim=(len(groups) - 0.5, -0.5))
    panels[1].set(xlabel="forgetting (points)")
    panels[0].set_yticks(range(len(groups)), [group.label for group in groups])
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(names))
    return figure


def _error_bars(
    axes: Any, values: dict[int, list[float]], shift: float, **style: Any
) -> None:
    """Mean and deviation over seeds at each height y."""
    percent = [100 * np.array(each) for each in values.values()]
    means = [each.mean() for each in percent]
    deviations = [each.std(ddof=len(each) > 1) for each in percent]
    at = [y + shift for y in values]
    axes.errorbar(means, at, xerr=deviations, capsize=3, **style)
    axes.grid(alpha=0.3)


def _print_values(axes: Any, percent: Any, middle: float) -> None:
    for (t, k), value in np.ndenumerate(percent):
        colour = "white" if value < middle else "black"
        axes.text(k, t, f"{value:.0f}", ha="center", va="center", color=colour)


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]
