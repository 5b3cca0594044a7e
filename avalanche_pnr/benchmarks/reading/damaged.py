"""Leaving out images that cannot be read."""

from functools import partial
from itertools import compress
from multiprocessing.pool import ThreadPool
from typing import Protocol, TypeVar

from avalanche_pnr.benchmarks.reading.images import Images
from avalanche_pnr.benchmarks.reading.progress import progress


class StoredImages(Images, Protocol):
    """Images that are read when they are asked for."""

    def name(self, index: int) -> str:
        """Name the place where an image is stored."""
        ...


Stored = TypeVar("Stored", bound=StoredImages)


def without_damaged(images: Stored) -> tuple[Stored, list[str]]:
    """Separate the images that can be read from the names of those that cannot.

    Every image is decoded, in as many threads as there are processors.
    """
    with ThreadPool() as pool:
        read = pool.imap(partial(_is_readable, images), range(len(images)), 16)
        good = list(progress(read, "reading images", len(images)))
    numbers = range(len(images))
    damaged = [images.name(n) for n in numbers if not good[n]]
    return images.subset(list(compress(numbers, good))), damaged


def _is_readable(images: Images, index: int) -> bool:
    try:
        images[index]
    except OSError:
        return False
    return True
