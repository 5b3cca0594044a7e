"""Who images are, by their content: equal files are equal images."""

import hashlib
from collections.abc import Iterable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.shard_images import ShardImages

Digests = NDArray[np.uint8]
"""Digests of the content of images, 16 bytes each, shape (N, 16)."""

DIGEST_BYTES = 16
EMPTY = hashlib.blake2b(b"", digest_size=DIGEST_BYTES).digest()
"""Digest of a file that holds nothing, or cannot be opened."""


def content_digests(images: Any) -> Digests:
    """Compute digests of the content of images: equal files are equal images.

    Each file is read once, in as many threads as there are processors; data sets of
    others, which may not bear threads, are read one image at a time.

    Args:
        images: As :class:`Arrivals` has them, N of them.

    Returns:
        Shape (N, 16).
    """
    count = len(images)
    found = np.empty((count, DIGEST_BYTES), np.uint8)
    with ThreadPool(None if lie_in_files(images) else 1) as pool:
        contents = pool.imap(lambda index: _digest(images, index), range(count), 16)
        for index, digest in enumerate(progress(contents, "reading images", count)):
            found[index] = np.frombuffer(digest, np.uint8)
    return found


def lie_in_files(images: Any) -> bool:
    """Return whether images are read from files, each of which may be damaged."""
    return isinstance(images, FileImages | ShardImages)


def _digest(images: Any, index: int) -> bytes:
    content = _content(images, index)
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def keys(digests: Digests) -> NDArray[np.void]:
    """Return digests as single values that numpy sorts and looks up, shape (N,)."""
    return np.ascontiguousarray(digests).view(f"V{DIGEST_BYTES}").reshape(-1)


def summary(digests: Digests) -> str:
    """Compute one digest of all images in their order, as text."""
    return hashlib.blake2b(digests.tobytes(), digest_size=DIGEST_BYTES).hexdigest()


def first_of_each(
    digests: Digests, learned: Iterable[Digests] = ()
) -> NDArray[np.intp]:
    """Find the images that come first with their content, and are new.

    Args:
        digests: Digests of the images.
        learned: Digests of those that were learned before.

    Returns:
        Their indices, in order.
    """
    _, first = np.unique(keys(digests), return_index=True)
    new = np.zeros(len(digests), bool)
    new[first] = True
    for before in learned:
        new &= ~np.isin(keys(digests), keys(before))
    return np.flatnonzero(new)


def _content(images: Any, index: int) -> bytes:
    """Read the bytes of a file, or else the pixels of an image."""
    if lie_in_files(images):
        try:
            return _stored(images, index)
        except OSError:  # said of all such files together, when they are decoded
            return b""
    sample = images[index]
    image = sample[0] if isinstance(sample, tuple | list) else sample
    pixels = np.asarray(image)
    return str(pixels.shape).encode() + pixels.tobytes()


def _stored(images: FileImages | ShardImages, index: int) -> bytes:
    if isinstance(images, FileImages):
        return Path(images.paths[index]).read_bytes()
    with images.member(index).open() as file:
        return file.read()
