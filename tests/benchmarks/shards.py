"""Small tar shards, written by webdataset."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def png(pixels: NDArray[np.uint8]) -> bytes:
    content = BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


def grey(value: int) -> bytes:
    return png(np.full((6, 6, 3), value, np.uint8))


def write(path: Path, samples: Iterable[dict[str, Any]]) -> Path:
    """Write a shard of samples, which map extensions to contents."""
    from webdataset import TarWriter

    path.parent.mkdir(parents=True, exist_ok=True)
    with TarWriter(str(path)) as writer:
        for number, sample in enumerate(samples):
            writer.write({"__key__": f"{path.stem}/{number:06d}", **sample})
    return path


def write_greys(folder: Path, shards: int, images: int, first: int = 0) -> str:
    """Shards of some images each, whose grey values count on; the pattern of paths."""
    for number in range(shards):
        start = first + number * images
        greys = range(start, start + images)
        samples = [{"png": grey(value), "json": {"grey": value}} for value in greys]
        write(folder / f"train-{number:04d}.tar", samples)
    return str(folder / f"train-{{0000..{shards - 1:04d}}}.tar")
