"""Views of batches beside those of single images, on one core."""

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
from experiments.speed.measure import Setting, Work, ratio, seconds
from experiments.speed.pipelines import (
    BATCHED,
    KORNIA,
    PER_IMAGE,
    configuration,
    pipelines,
)
from experiments.speed.table import Cell, Table

RECIPES = {
    "CIFAR-100": ("cifar100/mocov2plus", 32, 256),
    "CIFAR-100, VICReg": ("cifar100/vicreg", 32, 256),
    "ImageNet-100": ("imagenet100_class/mocov2plus", 256, 32),
}
"""A recipe, the pixels of an image's side, and images on a CPU."""


def measure(setting: Setting) -> Table:
    """Batches of views by three pipelines, in turn."""
    names = list(RECIPES)[:1] if setting.quick else list(RECIPES)
    rows: list[Mapping[str, Cell]] = [
        {"recipe": name, **_compare(*RECIPES[name], setting)} for name in names
    ]
    return Table("Two views of each image; edges are mean squared gradients", rows)


def _compare(recipe: str, side: int, images: int, setting: Setting) -> dict[str, Cell]:
    torch.manual_seed(0)
    held = photographs(images, side).to(setting.device)
    batch = [held[index][0] for index in range(images)]
    made: dict[str, list[Tensor]] = {}

    def work(name: str, views: Any) -> Work:
        def make() -> None:
            drawn = default_collate([views(image) for image in batch])
            made.setdefault(name, []).append(drawn.to(setting.device))

        return make

    chosen = pipelines(configuration(f"+recipe={recipe}").data)
    contestants = {name: work(name, views) for name, views in chosen.items()}
    taken = seconds(contestants, setting)
    edges = {name: _edges(torch.cat(views)) for name, views in made.items()}
    return {
        f"{PER_IMAGE} / {BATCHED}": ratio(taken[PER_IMAGE], taken[BATCHED]),
        f"{KORNIA} / {BATCHED}": ratio(taken[KORNIA], taken[BATCHED]),
        "batched (ms/image)": 1000 * median(taken[BATCHED]) / images,
        "edges, batched / per image": edges[BATCHED] / edges[PER_IMAGE],
        "edges, kornia / per image": edges[KORNIA] / edges[PER_IMAGE],
    }


def photographs(images: int, side: int) -> ArrayImages:
    """Parts of two photographs, reduced to a square.

    Args:
        images: How many.
        side: Height and width, pixels.
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
