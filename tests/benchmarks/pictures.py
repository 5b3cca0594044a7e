"""Small image files of one grey value each, which tells them apart."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avalanche_pnr.benchmarks import Images


def save(path: Path, grey: int) -> Path:
    """Write an image of the format that the path's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.full((6, 6, 3), grey, np.uint8))
    if path.suffix.lower() == ".heic":
        pytest.importorskip("pillow_heif")
    lossless = {"lossless": True} if path.suffix.lower() == ".webp" else {}
    image.save(path, quality=100, **lossless)
    return path


def truncate(path: Path) -> None:
    """Leave the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def greys_and_labels(images: Images) -> list[tuple[int, int]]:
    """Grey value and class of each image."""
    pixels = [images[number] for number in range(len(images))]
    return [(int(np.asarray(image)[0, 0, 0]), label) for image, label in pixels]
