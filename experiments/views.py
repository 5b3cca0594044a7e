"""``python -m experiments.views OUT.png``: pairs of views as the recipes draw them.

``--batched`` draws them as ``views=batched`` does.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from matplotlib.figure import Figure
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.utils.data import default_collate

from avalanche_pnr.runs.files import write_whole
from avalanche_pnr.runs.page import png
from experiments.overrides import CONF

ROWS = {
    "CIFAR-100": "cifar100/mocov2plus",
    "CIFAR-100, VICReg": "cifar100/vicreg",
    "224 px": "imagenet100_class/mocov2plus",
    "224 px, VICReg": "imagenet100_class/vicreg",
}
PAIRS = 3
"""Number of pairs drawn for each image."""


def figure(batched: bool = False) -> Figure:
    """Draw a row for each kind of recipe, with its pairs side by side.

    Args:
        batched: Whether to draw the views of ``views=batched``.
    """
    images = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    columns = PAIRS * len(images)
    size = (1.5 * columns + 1, 0.95 * len(ROWS))
    drawing = Figure(figsize=size, layout="constrained")
    panels = drawing.subplots(len(ROWS), columns)
    for row, (label, recipe) in zip(panels, ROWS.items(), strict=True):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            data = compose("config", [f"+recipe={recipe}"]).data
        draw = instantiate(data.views, batched=batched)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for column, axes in enumerate(row):
            image = images[column // PAIRS]
            views = draw(reduced(image, data.image_size))
            views = default_collate([views])[0] if batched else views
            axes.imshow(side_by_side(views, data))
            axes.set(xticks=[], yticks=[])
    return drawing


def reduced(image: Image.Image, size: int) -> Image.Image:
    """Reduce a photograph to the size of the recipe's images."""
    scale = max(1.0, min(image.size) / (size if size < 64 else 1.5 * size))
    width, height = image.size
    return image.resize((round(width / scale), round(height / scale)))


def side_by_side(views: Tensor, data: DictConfig) -> NDArray[Any]:
    """Join two normalised views (2, 3, H, W) to one picture (H, 2 W + gap, 3)."""
    mean, deviation = (torch.tensor(list(data.normalize[k])) for k in ("mean", "std"))
    pixels = views * deviation[:, None, None] + mean[:, None, None]
    gap = torch.ones(3, views.shape[2], max(1, views.shape[3] // 16))
    row = torch.cat([pixels[0], gap, pixels[1]], dim=2)
    picture: NDArray[Any] = row.clamp(0, 1).permute(1, 2, 0).numpy()
    return picture


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(prog="python -m experiments.views")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--batched", action="store_true", help="those of whole batches")
    chosen = parser.parse_args()
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  (lightly's blur and solarisation draw from it)
    write_whole(chosen.out, png(figure(chosen.batched)))


if __name__ == "__main__":
    main()
