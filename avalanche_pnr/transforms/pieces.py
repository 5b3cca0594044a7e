"""Splitting batches into pieces that fit in a processor's cache."""

from collections.abc import Iterator

from torch import Tensor

PIECE = 2**18
"""Numbers in a piece, 1 MiB in float32: the fastest measured at 32 and 224 px."""


def pieces(images: Tensor, number: int) -> Iterator[slice]:
    """Yield slices of rows to work on at once: few on a CPU, all elsewhere.

    Args:
        images: Images, shape (N, ...).
        number: Number of rows.
    """
    rows = number
    if images.device.type == "cpu":
        rows = PIECE * len(images) // max(1, images.numel())
    rows = max(1, rows)
    for first in range(0, number, rows):
        yield slice(first, first + rows)
