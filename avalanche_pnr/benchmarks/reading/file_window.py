"""A range of bytes of a file, as a file of its own."""

import io
import os
from typing import Any


class FileWindow(io.RawIOBase):
    """A range of bytes of a file; only the bytes asked for are read.

    Args:
        path: The file; it stays open until this one is closed.
        offset: Position of the first byte.
        size: Number of bytes.

    Raises:
        OSError: If the file cannot be opened.
    """

    def __init__(self, path: str, offset: int, size: int) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  (closed by close)
        self._offset, self._size, self._place = offset, size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as fit into a buffer, and return their number."""
        left = max(self._size - self._place, 0)
        self._file.seek(self._offset + self._place)
        read = self._file.readinto(memoryview(buffer)[:left])
        self._place += read
        return read

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte, counted from the first, the present one or the end."""
        start = {os.SEEK_CUR: self._place, os.SEEK_END: self._size}.get(whence, 0)
        if start + place < 0:
            raise ValueError(f"byte {start + place} is before the first")
        self._place = start + place
        return self._place

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()
