"""Views of batches compared with views of single images, on one core."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.utils.data import default_collate

from avalanche_pnr.benchmarks import ArrayImages
from experiments.measurements.speed.measure import Setting, Work, ratio, seconds
from experiments.measurements.speed.pipelines import (
    BATCHED,
    KORNIA,
    PER_IMAGE,
    configuration,
    pipelines,
)
from experiments.measurements.speed.table import Cell, Table

RECIPES = {
    "CIFAR-100": ("cifar100/mocov2plus", 32, 256),
    "CIFAR-100, VICReg": ("cifar100/vicreg", 32, 256),
    "CIFAR-100, from 96 px": ("cifar100/mocov2plus", 96, 64),
    "ImageNet-100": ("imagenet100_class/mocov2plus", 256, 32),
}
"""Recipes, with the side of an image in pixels and the number of images in a batch."""

CROPS_ALONE = {
    "jitter_probability": 0.0,
    "greyscale": 0.0,
    "blur": [0.0, 0.0],
    "solarize": [0.0, 0.0],
}


def measure(setting: Setting) -> Table:
    """Measure batches of views by three pipelines, in turn."""
    names = list(RECIPES)[:1] if setting.quick else list(RECIPES)
    rows: list[Mapping[str, Cell]] = [
        {"recipe": name, **_compare(*RECIPES[name], setting)} for name in names
    ]
    return Table(
        "Two views an image; edges: squared gradients of crops, in units of PIL's",
        rows,
    )


def _compare(recipe: str, side: int, images: int, setting: Setting) -> dict[str, Cell]:
    torch.manual_seed(0)
    held = photographs(images, side).to(setting.device)
    batch = [held[index][0] for index in range(images)]

    def drawn(views: Any) -> Tensor:
        views_of_batch: Tensor = default_collate([*map(views, batch)])
        return views_of_batch.to(setting.device)

    def work(views: Any) -> Work:
        return lambda: drawn(views)

    data = configuration(f"+recipe={recipe}").data
    contestants = {name: work(views) for name, views in pipelines(data).items()}
    taken = seconds(contestants, setting)
    crops = pipelines(data, **CROPS_ALONE)
    edges = {name: _edges(drawn(views)) for name, views in crops.items()}
    return {
        "per image / batched": ratio(taken[PER_IMAGE], taken[BATCHED]),
        "kornia / batched": ratio(taken[KORNIA], taken[BATCHED]),
        "batched (ms/image)": 1000 * median(taken[BATCHED]) / images,
        "edges, batched": edges[BATCHED] / edges[PER_IMAGE],
        "edges, kornia": edges[KORNIA] / edges[PER_IMAGE],
    }


def photographs(images: int, side: int) -> ArrayImages:
    """Cut images from two photographs and reduce them to squares.

    Args:
        images: Number of images.
        side: Height and width in pixels.
    """
    rng, both = np.random.default_rng(0), load_sample_images().images
    corners = rng.integers(0, 427 - 300, (images, 2))
    parts = [
        Image.fromarray(both[number % 2][top : top + 300, left : left + 300])
        for number, (top, left) in enumerate(corners)
    ]
    x = np.stack([np.asarray(part.resize((side, side))) for part in parts])
    return ArrayImages(x, np.arange(images) % 2)


def _edges(views: Tensor) -> float:
    return float(
        views.diff(dim=-1).square().mean() + views.diff(dim=-2).square().mean()
    )
