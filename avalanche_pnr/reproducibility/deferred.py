"""Samples whose random numbers are drawn with their batch."""

from typing import Any


class SeededWithBatch:
    """Base of an image whose views are drawn with its batch.

    The first image's seed is the batch's, so the others need none of their own.
    """

    __slots__ = ()


def awaits_batch(sample: Any) -> bool:
    """Return whether the views of a sample are drawn with its batch."""
    image = sample[0] if isinstance(sample, tuple | list) else sample
    return isinstance(image, SeededWithBatch)
