"""Judging the backbones of a learner by probes on labelled images."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import Compose

from avalanche_pnr.benchmarks import ImageData, load_folders
from avalanche_pnr.benchmarks.datasets.folders import Layout
from avalanche_pnr.benchmarks.reading.file_data import check_listed, from_files
from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.hold_out import hold_out
from avalanche_pnr.evaluation import (
    ConvexProbe,
    KNNProbe,
    NearestMeanProbe,
    SemiSupervisedProbe,
)
from avalanche_pnr.evaluation.features import extract_features
from avalanche_pnr.learner.builders import make_plain_data_set
from avalanche_pnr.learner.images import beside
from avalanche_pnr.learner.options import checked

FEW_LABELS = 0.1
HELD_OUT = 0.2
"""Fraction of the images of a table that is tested on."""
NEIGHBOURS = 20
LAYOUTS: dict[str, Layout] = {"class": "class", "experience/class": "domain/class"}
Z = 1.96
"""Half the width of a 95 % interval, in standard errors."""


@dataclass(frozen=True)
class Judgement:
    """Accuracies of one backbone, in 0..1.

    Attributes:
        name: Of the backbone.
        accuracy: By probe; of each test group and, last, of all test images.
        hits: Whether the linear probe was right, for each test image.
    """

    name: str
    accuracy: dict[str, list[float]]
    hits: Tensor


def labelled_images(
    data: Any,
    layout: str = "class",
    skip_damaged: bool = False,
    max_pixels: int | None = None,
) -> ImageData:
    """Read labelled images, in folders by class, or as a table of paths and labels.

    Args:
        data: A folder, with ``train/`` and ``test/`` if it has them (otherwise a fifth
            is held out); a ``.csv`` file with the columns ``path`` and ``label``, and
            ``experience`` if it is known; or :class:`~avalanche_pnr.ImageData`.
        layout: What a folder holds, ``class/image`` or ``experience/class/image``.
        skip_damaged: Whether to read every file once and leave damaged ones out.
        max_pixels: Pixels that an image may have; about 179 million by default.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it has no labels, or the layout is another.
    """
    if isinstance(data, ImageData):
        return data
    path = Path(data).expanduser()
    form: Layout = checked("layout", layout, LAYOUTS)
    if not path.exists():
        raise FileNotFoundError(
            f"data={data} does not exist: name a folder of classes, or a .csv file "
            "with the columns path and label"
        )
    if path.suffix == ".csv":
        return _listed(path, skip_damaged, max_pixels)
    if not path.is_dir() or not any(each.is_dir() for each in path.iterdir()):
        raise ValueError(
            f"data={data} holds no labels: name a folder with a folder for each class "
            "(with layout=experience/class in one for each experience), or a .csv file "
            "with the columns path and label"
        )
    return load_folders(path, form, skip_damaged=skip_damaged, max_pixels=max_pixels)


def judge(
    backbones: Iterable[tuple[str, nn.Module]],
    data: ImageData,
    view: Compose,
    *,
    device: torch.device,
    **reading: Any,
) -> list[Judgement]:
    """Judge backbones by the same images.

    Args:
        backbones: Each with its name, made when its turn comes.
        data: Labelled images.
        view: Makes a tensor (C, H, W) of an image.
        device: Where they are computed.
        **reading: Arguments of :func:`extract_features`.

    Raises:
        ValueError: If there is a single class, of which nothing can be told apart.
    """
    if len(data.class_names) < 2:
        raise ValueError(
            f"all labelled images are of one class, {data.class_names[0]}: add images "
            "of another, as accuracies tell how well classes are told apart"
        )
    train = make_plain_data_set(data.train, view)
    test = make_plain_data_set(data.test, view)
    reading["device"] = device
    domains = torch.tensor(data.test.domains) if data.domain_names else None
    judgements = []
    for name, backbone in backbones:
        backbone.to(device)
        x, y = extract_features(backbone, train, **reading)
        test_x, test_y = extract_features(backbone, test, **reading)
        accuracy: dict[str, list[float]] = {}
        hits = torch.empty(0)
        for probe in _probes(len(y)):
            hit = (probe.fit(x, y)(test_x).argmax(dim=1) == test_y).double().cpu()
            hits = hit if probe.name == "linear" else hits
            accuracy[probe.name] = [
                *(
                    hit[domains == k].mean().item()
                    for k in range(len(data.domain_names))
                    if domains is not None
                ),
                hit.mean().item(),
            ]
        judgements.append(Judgement(name, accuracy, hits))
    return judgements


def table(judgements: Sequence[Judgement], columns: Sequence[str]) -> str:
    """Format accuracies in percent, a block for each probe.

    Args:
        judgements: A row each.
        columns: Names of the test groups, before that of all.
    """
    heads = [*columns, "all"]
    width = max(len(each.name) for each in judgements)
    cells = [max(len(head), 5) for head in heads]
    blocks = []
    for probe in judgements[0].accuracy:
        head = "  ".join(f"{h:>{w}}" for h, w in zip(heads, cells, strict=True))
        lines = [f"{probe:{width}}  {head}"]
        for each in judgements:
            row = zip(each.accuracy[probe], cells, strict=True)
            lines.append(
                f"{each.name:{width}}  "
                + "  ".join(f"{100 * v:{w}.1f}" for v, w in row)
            )
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def verdict(before: Judgement, after: Judgement) -> str:
    """Say whether the last experience helped, by the same test images before it."""
    difference = 100 * (after.hits - before.hits)
    if not difference.any():
        return (
            "Linear accuracy did not change: before and after the last experience the "
            f"probe is right on the same of the {len(difference)} test images."
        )
    mean = difference.mean().item()
    half = Z * difference.std().item() / math.sqrt(len(difference))
    interval = f"95 % interval {mean - half:.1f} to {mean + half:.1f}"
    points = f"{abs(mean):.1f} points ({interval}, {len(difference)} test images)"
    if mean - half > 0:
        return f"The last experience helped: linear accuracy rose by {points}."
    if mean + half < 0:
        return f"The last experience hurt: linear accuracy fell by {points}."
    return (
        f"These images cannot tell whether the last experience helped: linear accuracy "
        f"changed by {mean:+.1f} points ({interval}, {len(difference)} test images)."
    )


def _probes(images: int) -> list[Any]:
    return [
        ConvexProbe(name="linear"),
        KNNProbe(k=min(NEIGHBOURS, images)),
        NearestMeanProbe(),
        SemiSupervisedProbe(FEW_LABELS, name="few labels"),
    ]


def _listed(path: Path, skip_damaged: bool, max_pixels: int | None) -> ImageData:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read as .csv ({error}): save it as UTF-8, with the "
            "columns path and label"
        ) from error
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise ValueError(
            f"{path} must have the columns path and label, and rows: it has "
            f"{', '.join(rows[0]) if rows else 'none'}"
        )
    classes = sorted({row["label"] for row in rows})
    groups = sorted({row["experience"] for row in rows if row.get("experience")})
    images = FileImages(
        [beside(path, row["path"]) for row in rows],
        [classes.index(row["label"]) for row in rows],
        [groups.index(row["experience"]) for row in rows] if groups else [],
        max_pixels,
    )
    if not skip_damaged:
        check_listed(str(path), images)
    train, test = hold_out(str(path), images, HELD_OUT, 0)
    return from_files(
        str(path),
        train,
        test,
        classes,
        groups or None,
        skip_damaged=skip_damaged,
        check_duplicates=True,
        max_pixels=max_pixels,
    )
