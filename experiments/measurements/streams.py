"""``python -m experiments.measurements.streams``: small images of the study's streams.

``shift`` writes three domains far from each other, each with classes of its own, for
``data=npz stream=domain``: photographs (CIFAR-100), handwriting (MNIST) and sketches
(PACS). ``photographs`` writes a few classes of CIFAR-100 for ``data=npz``. Both reduce
images of ``.npz`` files with ``x``, ``y``, ``split`` and, of several domains,
``domain``.
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

    def of_first(self, classes: int, training: int, test: int) -> "Images":
        """Take the first classes, and of each as many of its first images."""
        chosen: list[NDArray[np.intp]] = []
        for label in range(classes):
            for split, count in enumerate((training, test)):
                of_both = (self.y == label) & (self.split == split)
                chosen.append(np.flatnonzero(of_both)[:count])
        rows = np.sort(np.concatenate(chosen))
        return Images(self.x[rows], self.y[rows], self.split[rows])


def read(path: Path, domain: int | None = None) -> Images:
    """Read the images of one domain.

    Args:
        path: ``.npz`` file.
        domain: Number of the domain; ``None`` for all of the file.
    """
    with np.load(path, allow_pickle=False) as file:
        x, y, split = file["x"], file["y"].astype(int), file["split"].astype(int)
        here = slice(None) if domain is None else file["domain"] == domain
        return Images(x[here], y[here], split[here])


def reduced(images: Array, size: int) -> Array:
    """Average pixels down to (N, size, size, 3)."""
    box = Image.Resampling.BOX
    return np.stack(
        [np.asarray(Image.fromarray(i).resize((size, size), box)) for i in images]
    )


def write(path: Path, domains: dict[str, Images], size: int) -> None:
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
    for name, images in domains.items():
        training = int((images.split == 0).sum())
        print(f"{name}: {training} training and {len(images.y) - training} test images")


def main() -> None:
    """Write the file that the command line describes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[1])
    streams = parser.add_subparsers(dest="stream", required=True)
    shift = streams.add_parser("shift", help="photographs, handwriting and sketches")
    shift.add_argument(
        "--handwriting", type=Path, required=True, help="MNIST, domain 0"
    )
    shift.add_argument("--sketches", type=Path, required=True, help="PACS, domain 3")
    few = streams.add_parser("photographs", help="ten classes, 250 + 100 images each")
    for each in (shift, few):
        each.add_argument("--photographs", type=Path, required=True, help="CIFAR-100")
        each.add_argument("--size", type=int, default=16, help="pixels")
        each.add_argument("--out", type=Path, required=True, help=".npz file to write")
    chosen = parser.parse_args()
    photographs = read(chosen.photographs)
    if chosen.stream == "photographs":
        domains = {"photographs": photographs.of_first(10, 250, 100)}
    else:
        domains = {
            "photographs": photographs.of_first(20, 100, 20),
            "handwriting": read(chosen.handwriting, domain=0),
            "sketches": read(chosen.sketches, domain=3),
        }
    write(chosen.out, domains, chosen.size)


if __name__ == "__main__":
    main()
