"""``python -m experiments.measurements.streams``: the data of a hard domain shift.

Writes an ``.npz`` file for ``data=npz stream=domain`` with three domains, each with
classes of its own: photographs (classes of CIFAR-100), handwriting (MNIST) and sketches
(PACS), all reduced to one size. They come from ``.npz`` files with ``x``, ``y``,
``split`` and, of several domains, ``domain``.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avalanche_pnr.runs.files import replacing

Array = NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Images of one domain.

    Attributes:
        x: Pixels, uint8 (N, H, W, 3).
        y: Classes from 0 on, (N,).
        split: 0 for training images and 1 for test images, (N,).
    """

    x: Array
    y: NDArray[np.int64]
    split: NDArray[np.int64]


def read(path: Path, classes: int, domain: int | None = None) -> Images:
    """Read the images of the first classes of one domain.

    Args:
        path: ``.npz`` file.
        classes: Number of classes.
        domain: Number of the domain; ``None`` for all of the file.
    """
    with np.load(path, allow_pickle=False) as file:
        y = file["y"].astype(int)
        chosen = y < classes
        if domain is not None:
            chosen &= file["domain"] == domain
        return Images(file["x"][chosen], y[chosen], file["split"][chosen].astype(int))


def reduced(images: Array, size: int) -> Array:
    """Average pixels down to (N, size, size, 3)."""
    box = Image.Resampling.BOX
    return np.stack(
        [np.asarray(Image.fromarray(i).resize((size, size), box)) for i in images]
    )


def write_domains(path: Path, domains: dict[str, Images], size: int) -> None:
    """Write the domains to one file; no class is in two of them."""
    counts = [int(each.y.max()) + 1 for each in domains.values()]
    first = np.cumsum([0, *counts[:-1]])
    parts = list(domains.values())
    with replacing(path) as file:
        np.savez(
            file,
            x=np.concatenate([reduced(each.x, size) for each in parts]),
            y=np.concatenate(
                [each.y + k for each, k in zip(parts, first, strict=True)]
            ),
            split=np.concatenate([each.split for each in parts]),
            domain=np.repeat(range(len(parts)), [len(each.y) for each in parts]),
            domain_names=np.array(list(domains)),
        )


def main() -> None:
    """Write the file that the command line describes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True, help="CIFAR-100")
    parser.add_argument(
        "--handwriting", type=Path, required=True, help="MNIST, domain 0"
    )
    parser.add_argument("--sketches", type=Path, required=True, help="PACS, domain 3")
    parser.add_argument("--size", type=int, default=16, help="pixels")
    parser.add_argument("--out", type=Path, required=True, help=".npz file to write")
    chosen = parser.parse_args()
    domains = {
        "photographs": read(chosen.photographs, classes=20),
        "handwriting": read(chosen.handwriting, classes=10, domain=0),
        "sketches": read(chosen.sketches, classes=7, domain=3),
    }
    write_domains(chosen.out, domains, chosen.size)
    for name, images in domains.items():
        training = int((images.split == 0).sum())
        print(f"{name}: {training} training and {len(images.y) - training} test images")


if __name__ == "__main__":
    main()
