"""Bytes that tell the images of a Hugging Face data set from others."""

from collections.abc import Iterator
from typing import Any

import numpy as np

TAIL = 64
"""Last bytes of an encoded image that count: its data end there, and checksums lie."""


def arrow_content(dataset: Any, column: str) -> Iterator[Any]:
    """Bytes that differ where the stored images, or their order, do.

    Of an encoded image these are its size, its last bytes and its path; of an array all
    of its numbers. Large data sets are not read as a whole.

    Args:
        dataset: A data set of Hugging Face's library ``datasets``.
        column: Name of the column of images.
    """
    import pyarrow
    import pyarrow.compute as pc

    if dataset._indices is not None:  # which images of the table, in which order
        yield dataset._indices.column(0).to_numpy()
    for chunk in dataset.data.column(column).chunks:
        yield repr((str(chunk.type), chunk.offset, len(chunk))).encode()
        if pyarrow.types.is_struct(chunk.type):
            content = pc.fill_null(chunk.field("bytes"), b"")
            yield np.asarray(pc.binary_length(content))
            yield b"".join(pc.binary_slice(content, -TAIL).to_pylist())
            yield "\n".join(map(str, chunk.field("path").to_pylist())).encode()
        else:
            yield from filter(None, chunk.buffers())
