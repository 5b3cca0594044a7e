"""Images that are both in the training and in the test data."""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from avalanche_pnr.benchmarks.reading.images import Images
from avalanche_pnr.benchmarks.reading.progress import progress

Pair = tuple[str, str]
"""Names of a test image and of the training image that equals it."""


def equal_pixels(
    train: Images, test: Images, probe: Images | None = None
) -> list[Pair]:
    """Find test images with the pixels of a training image; every image is read.

    Args:
        train: Training images.
        test: Test images.
        probe: Other images that probes are fitted to, which count as training images.
    """
    splits = {"training": train} | ({} if probe is None else {"probe": probe})
    names = {
        pixels: f"{split} image {number}"
        for split, images in splits.items()
        for number, pixels in enumerate(_pixels(images))
    }
    return [
        (f"test image {number}", names[pixels])
        for number, pixels in enumerate(_pixels(test))
        if pixels in names
    ]


def equal_files(train: Sequence[str], test: Sequence[str]) -> list[Pair]:
    """Find test files equal to a training file; only equal sizes are read.

    Args:
        train: Paths of the training images.
        test: Paths of the test images.

    Raises:
        OSError: If a file is missing.
    """
    sizes = {_size(path) for path in test}
    sized = [
        path for path in progress(train, "comparing files") if _size(path) in sizes
    ]
    paths = {_content(path): path for path in progress(sized, "comparing files")}
    pairs = ((path, paths.get(_content(path))) for path in test)
    return [(copy, original) for copy, original in pairs if original is not None]


def count_duplicates(source: str, pairs: Sequence[Pair]) -> int:
    """Count the test images that are training images too, and warn of any.

    Args:
        source: Origin of the images, for the warning.
        pairs: Test images and what they equal.
    """
    if pairs:
        copy, original = pairs[0]
        warnings.warn(
            f"{source}: {len(pairs)} test images are also in the training data "
            f"({copy} equals {original}): the accuracy on them says nothing of new "
            "images",
            stacklevel=3,
        )
    return len(pairs)


def _pixels(images: Images) -> Iterator[bytes]:
    for number in progress(range(len(images)), "comparing images"):
        image, _ = images[number]
        values = np.ascontiguousarray(image)
        content = repr(values.shape).encode() + values.tobytes()
        yield hashlib.blake2b(content, digest_size=16).digest()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise OSError(
            f"{path} cannot be compared ({error.strerror}): unpack it again, or leave "
            "it out with skip_damaged=True"
        ) from error


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
