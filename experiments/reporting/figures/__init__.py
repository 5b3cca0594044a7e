"""The pictures of a report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from matplotlib.figure import Figure

from experiments.reporting.figures import (
    curves,
    drift,
    feature_space,
    matrices,
    representation,
    settings,
    trade_off,
)
from experiments.reporting.measures import DEFINITIONS, PLASTICITY
from experiments.reporting.probes import head
from experiments.reporting.rows import Row
from experiments.sweep import Group

Draw = Callable[[Group], Figure | None]

PICTURES: MappingProxyType[str, tuple[Draw, str]] = MappingProxyType(
    {
        "accuracy_matrices": (matrices.draw, matrices.CAPTION),
        "curves": (curves.draw, curves.CAPTION),
        "stability_plasticity": (trade_off.draw, trade_off.CAPTION),
        "features": (feature_space.draw, feature_space.CAPTION),
        "cka": (drift.draw, drift.CAPTION),
        "representation": (representation.draw, representation.CAPTION),
    }
)
"""Pictures of runs that differ only in the seed; None if the runs lack the data."""


@dataclass(frozen=True)
class Picture:
    """A picture of the report.

    Attributes:
        name: Name of its file.
        figure: The drawing.
        caption: The caption.
    """

    name: str
    figure: Figure
    caption: str


def pictures(groups: Sequence[Group], rows: Sequence[Row]) -> list[Picture]:
    """Pictures of one setting, or one that compares the settings of a sweep."""
    if len(groups) > 1:
        probe = " or ".join(dict.fromkeys(map(_probe, groups)))
        caption = settings.CAPTION.format(probe=probe)
        figure = settings.draw(groups, rows, probe)
        return [] if figure is None else [Picture("sweep", figure, caption)]
    (group,) = groups
    told = {measure.title for row in rows for measure in row.values}
    formula = f" Plasticity {DEFINITIONS[PLASTICITY]}."
    facts = {
        "probe": _probe(group),
        "seed": group.seed_results[0].seed,
        "plasticity": formula if PLASTICITY in told else "",
    }
    return [
        Picture(name, figure, caption.format(**facts))
        for name, (draw, caption) in PICTURES.items()
        if (figure := draw(group)) is not None
    ]


def _probe(group: Group) -> str:
    return head(group.runs[0], group.probe)
