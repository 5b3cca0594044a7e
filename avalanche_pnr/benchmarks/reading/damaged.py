"""Finding images that cannot be read, and leaving them out."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import Any, Protocol, TypeVar

from PIL import UnidentifiedImageError

from avalanche_pnr.benchmarks.reading.images import Images, reduced
from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.text_lists import listed
from avalanche_pnr.transforms.reduction import Reduction, SmallestCrop

UNRECOGNISED = "not recognised as images"
KINDS: Mapping[type[BaseException], str] = {
    FileNotFoundError: "gone",
    PermissionError: "without permission to read",
    UnidentifiedImageError: UNRECOGNISED,
}
"""What is wrong with a file, by the error that it raises; others are damaged."""
SMALLEST = Reduction((SmallestCrop(1),))
"""Decodes a JPEG file as small as may be: damage shows, in half of the time."""
THREADS = 8
"""Images that are decoded at a time, at most: each takes memory."""
NAMED = 3
"""Files of a kind that are named; others are counted."""


class StoredImages(Images, Protocol):
    """Images that are read when they are asked for."""

    def name(self, index: int) -> str:
        """Name the place where an image is stored."""
        ...


Stored = TypeVar("Stored", bound=StoredImages)


def without_damaged(images: Stored) -> tuple[Stored, list[str]]:
    """Separate the images that can be read from the names of those that cannot.

    Every image is decoded, JPEG files reduced.
    """
    numbers = range(len(images))
    damaged = damages(images, numbers)
    good = images.subset([n for n in numbers if n not in damaged])
    return good, [images.name(n) for n in damaged]


def damages(images: Any, indices: Sequence[int]) -> dict[int, str]:
    """Find the images that cannot be read, and what is wrong with each.

    Args:
        images: Images, which bear threads.
        indices: Those that are decoded.

    Returns:
        One of :data:`KINDS`, ``damaged``, or what the system says, by index, in order.

    Raises:
        MemoryError: If there is too little memory to decode one.
        TooLargeImageError: If an image has more pixels than are opened.
    """
    with ThreadPool(min(os.cpu_count() or 1, THREADS)) as pool:
        kinds = pool.imap(partial(_damage, reduced(images, SMALLEST)), indices, 16)
        seen = progress(kinds, "checking images", len(indices))
        return {n: kind for n, kind in zip(indices, seen, strict=True) if kind}


def by_kind(damaged: Mapping[str, str]) -> str:
    """Count damaged files of each kind, and name the first ones.

    Args:
        damaged: What is wrong with each file, by its name.
    """
    names: dict[str, list[str]] = defaultdict(list)
    for name, kind in damaged.items():
        names[kind].append(name)
    return "; ".join(
        f"{len(each):,} {kind} ({listed(each, NAMED)})" for kind, each in names.items()
    )


def _damage(images: Images, index: int) -> str | None:
    try:
        images[index]
    except OSError as error:
        cause = error.__cause__ or error
        if isinstance(cause, MemoryError):
            raise cause from error
        if type(cause) in KINDS:
            return KINDS[type(cause)]
        system = cause.strerror if isinstance(cause, OSError) else None
        return f"unreadable: {system}" if system else "damaged"
    return None
