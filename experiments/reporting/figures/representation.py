"""The shape of the representation, without labels."""

from functools import partial

from matplotlib.figure import Figure

from experiments.reporting.figures.style import draw_series, legend, steps
from experiments.seed_results import SeedResults
from experiments.sweep import Group

CAPTION = (
    "Features of fixed images of all experiences after each experience. Alignment: "
    "distance between two views of an image, lower is better; uniformity: how far they "
    "spread over the sphere, lower is better; effective rank: dimensions in use. "
    "Uniformity near 0 and a low rank are signs of collapse."
)
PANELS = {
    "alignment": "Alignment_Stream",
    "uniformity": "Uniformity_Stream",
    "effective rank": "EffectiveRank_Stream",
}


def draw(group: Group) -> Figure | None:
    """Draw a panel for each measure in the runs."""
    held = {metric for run in group.runs for metric in run.metrics}
    panels = {title: metric for title, metric in PANELS.items() if metric in held}
    if not panels:
        return None
    figure = Figure((1 + 3.4 * len(panels), 3.7), layout="constrained")
    each = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, metric) in zip(each, panels.items(), strict=True):
        draw_series(
            axes, group.seed_results, group.names, partial(_series, metric=metric)
        )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("experiences trained")
        steps(axes, group.runs[0].experiences)
    legend(figure, each)
    return figure


def _series(results: SeedResults, name: str, metric: str) -> dict[int, float]:
    return results.series(name, metric)
