"""Text files with one entry a line."""

from collections.abc import Collection
from importlib.resources.abc import Traversable
from pathlib import Path


def read_lines(file: Path | Traversable, comment: str | None = None) -> list[str]:
    """Read the lines of a text file without the blank ones and the space around them.

    Args:
        file: The file, UTF-8. Bytes that are not valid text become marks, so that
            errors show the line they are in.
        comment: Mark that begins a comment, which is left out.

    Raises:
        ValueError: If no line is left.
    """
    lines = file.read_bytes().decode(errors="replace").splitlines()
    if comment is not None:
        lines = [line.partition(comment)[0] for line in lines]
    entries = [stripped for line in lines if (stripped := line.strip())]
    if not entries:
        raise ValueError(f"{file} is empty: it must have one entry on each line")
    return entries


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number of things, as ``1 image`` or ``1,000 images``."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def listed(names: Collection[str], most: int = 10) -> str:
    """Join names as part of a sentence, the first ones if there are many.

    Args:
        names: Names to list.
        most: Largest number of names written out.
    """
    shown = ", ".join(sorted(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
