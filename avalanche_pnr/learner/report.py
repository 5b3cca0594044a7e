"""The report of a learner: one HTML page, pictures inside."""

import math
import os
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.learner.folder import LearnerFolder, read_json
from avalanche_pnr.learner.kept import KeptImages
from avalanche_pnr.runs.files import write_whole
from avalanche_pnr.runs.page import inline, page, png

TEMPLATE = Path(__file__).with_name("report.html.jinja")
QUERIES, NEIGHBOURS = 6, 5
CURVES = ("loss", "effective_rank", "uniformity")


def write_report(
    folder: LearnerFolder,
    sample: KeptImages,
    features: Callable[[int], Tensor | None],
) -> Path:
    """Write ``report.html`` into a learner's folder.

    Args:
        folder: Of the learner.
        sample: The images that it has kept.
        features: Those of the sample by the backbone after an experience, (N, F), or
            ``None`` where that was not kept.

    Returns:
        The page.
    """
    experiences = folder.experiences()
    pictures = [
        _picture(
            "Loss, and what the features tell without labels",
            _curves(experiences),
            "The loss of each check in training; the effective rank of the features of "
            "the kept sample (a fall is a collapse) and their uniformity (lower is "
            "more even); linear CKA of the features of each experience's images with "
            "those at its end (a fall is drift).",
        )
    ]
    last = len(experiences)
    before, after = features(last - 1), features(last)
    if len(sample) > NEIGHBOURS and after is not None:
        pictures.append(
            _picture(
                "Features of the sample",
                _projection(after, sample),
                "The first two principal components, coloured by experience.",
            )
        )
        if before is not None:
            pictures.append(
                _picture(
                    "Nearest neighbours",
                    _neighbours(before, after, sample, last),
                    "Left an image of the sample, then those whose features are "
                    f"nearest by the backbone before experience {last}, and after it.",
                )
            )
    settings = folder.settings()
    content = {
        "name": folder.path.name,
        "settings": f"{settings.method} on {settings.backbone}, "
        f"{settings.image_size} px",
        "images": sum(each["images"] for each in experiences),
        "experiences": [_row(each) for each in experiences],
        "pictures": pictures,
        "judged": [
            read_json(path)
            for path in sorted(folder.path.glob("judged/*.json"), reverse=True)
        ],
    }
    path = folder.path / "report.html"
    write_whole(path, page(TEMPLATE, **content).encode())
    return path


def _row(experience: dict[str, Any]) -> dict[str, Any]:
    loss = experience["history"][-1]["loss"] if experience["history"] else None
    return {
        **experience,
        "data": os.path.basename(experience["data"]),
        "loss": "" if loss is None else f"{loss:.4g}",
    }


def _curves(experiences: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = list(figure.subplots(2, 2, sharex=True).flat)
    begin = 0
    drift: dict[str, list[tuple[float, float]]] = {}
    series: dict[str, list[tuple[float, float]]] = {}
    for experience in experiences:
        for axis in axes:
            axis.axvline(begin, color="#d0d7de", linewidth=1)
        for record in experience["history"]:
            x = begin + record["epoch"]
            for name in CURVES:
                if record.get(name) is not None:
                    series.setdefault(name, []).append((x, record[name]))
            for k, value in record.get("cka", {}).items():
                drift.setdefault(k, []).append((x, value))
        for points in series.values():
            points.append((begin, math.nan))  # which begins a line of its own
        begin += experience["epochs"]
    for axis, name in zip(axes, CURVES, strict=False):
        axis.set_title(name.replace("_", " "))
        _draw(axis, series.get(name, []))
    last = axes[3]
    last.set_title("CKA with the end of an experience")
    last.set_ylim(0, 1.02)
    for k, points in drift.items():
        _draw(last, points, f"experience {k}")
    if drift:
        last.legend(frameon=False)
    for axis in axes[2:]:
        axis.set_xlabel("epochs")
    return figure


def _draw(axis: Any, points: Iterable[tuple[float, float]], label: str = "") -> None:
    points = list(points)
    axis.plot([x for x, _ in points], [y for _, y in points], marker=".", label=label)
    axis.spines[["top", "right"]].set_visible(False)


def _projection(features: Tensor, sample: KeptImages) -> Figure:
    centred = features.double() - features.double().mean(dim=0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    x, y = (centred @ directions[:2].T).T
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    numbers = torch.tensor(sample.experiences)
    for k in sorted(set(sample.experiences)):
        axis.scatter(x[numbers == k], y[numbers == k], s=14, label=f"experience {k}")
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xticks([])
    axis.set_yticks([])
    return figure


def _neighbours(before: Tensor, after: Tensor, sample: KeptImages, last: int) -> Figure:
    """A row for each query: itself, its neighbours before, and those after."""
    step = max(1, len(sample) // QUERIES)
    queries = range(0, len(sample), step)[:QUERIES]
    figure = Figure(figsize=(9, 0.85 * len(queries) + 0.4), layout="constrained")
    blocks: Any = figure.subfigures(1, 3, width_ratios=(1, NEIGHBOURS, NEIGHBOURS))
    titles = "image", f"before experience {last}", f"after experience {last}"
    shown = [
        [[query] for query in queries],
        [_nearest(before, query) for query in queries],
        [_nearest(after, query) for query in queries],
    ]
    for block, title, rows in zip(blocks, titles, shown, strict=True):
        block.suptitle(title, fontsize=10)
        grid = block.subplots(len(rows), len(rows[0]), squeeze=False)
        for axis, index in zip(grid.flat, chain(*rows), strict=True):
            axis.set_axis_off()
            axis.imshow(sample[index][0])
    return figure


def _nearest(features: Tensor, query: int) -> list[int]:
    unit = normalize(features, dim=1)
    order: list[int] = (unit @ unit[query]).argsort(descending=True).tolist()
    return [index for index in order if index != query][:NEIGHBOURS]


def _picture(title: str, figure: Figure, note: str) -> dict[str, str]:
    return {"title": title, "source": inline(png(figure)), "note": note}
