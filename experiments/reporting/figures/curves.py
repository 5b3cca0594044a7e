"""Accuracy after each experience."""

import numpy as np
from matplotlib.figure import Figure

from experiments.reporting.figures.style import draw_series, legend, steps
from experiments.seed_results import SeedResults, is_learner
from experiments.sweep import Group

CAPTION = (
    "Accuracy of the {probe} probe over the test data of all experiences, future ones "
    "included, after each experience; band: one deviation over seeds. Lines across "
    "are what was not trained one experience after the other."
)


def draw(group: Group) -> Figure | None:
    """Draw mean and deviation of each learner, with references as lines across."""
    metric = f"{group.probe.capitalize()}_Acc_Exp"

    def series(results: SeedResults, name: str) -> dict[int, float]:
        a = results.matrix(name, metric) if is_learner(name) else None
        means = results.final(name, metric) if a is None else a.mean(axis=1)
        if means is None:
            return {}
        return dict(enumerate(100 * means.astype(np.float64), start=1))

    figure = Figure((7, 4.2), layout="constrained")
    axes = figure.subplots()
    if not draw_series(axes, group.seed_results, group.names, series):
        return None
    axes.set_xlabel("experiences trained")
    axes.set_ylabel(f"{group.probe} accuracy, all test data (%)")
    steps(axes, group.runs[0].experiences)
    legend(figure, [axes])
    return figure
