"""Arrays of ``.npz`` files, none of which is read before its size is known."""

import zipfile
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

ENDING = ".npy"


def array_names(path: Path) -> list[str]:
    """Name the arrays in a file that :func:`read_arrays` reads."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(ENDING) for name in archive.namelist()]


def read_arrays(
    path: Path, names: Iterable[str], most: int | None = None
) -> dict[str, NDArray[Any]]:
    """Read some arrays of a ``.npz`` file, as far as they are there.

    Args:
        path: The file.
        names: Names of the arrays; nothing else is read.
        most: Largest total size in bytes; by default the memory that is free.

    Raises:
        ValueError: If the file is damaged or not an archive of arrays, one of them
            holds objects, or they are too large. The message is the reason alone.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            there = set(archive.namelist())
            files = {n: f"{n}{ENDING}" for n in names if f"{n}{ENDING}" in there}
            sizes = {name: _size(archive, file) for name, file in files.items()}
            _check_fits(sizes, most)
            return {name: _read(archive, file) for name, file in files.items()}
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds
        raise ValueError(str(error) or type(error).__name__) from error


def _check_fits(sizes: dict[str, int], most: int | None) -> None:
    free = _free_memory() if most is None else most
    if sum(sizes.values()) > free:
        raise ValueError(
            f"{', '.join(sizes)} take {sum(sizes.values()) / 1e9:.3g} GB of memory, of "
            f"{free / 1e9:.3g} GB that they may take"
        )


def _free_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _size(archive: zipfile.ZipFile, name: str) -> int:
    """Bytes of an array, from its head."""
    with archive.open(name) as file:
        shape, dtype = _head(file)
        size = prod(map(int, shape)) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError(f"{name} holds objects")
        if file.tell() + size != archive.getinfo(name).file_size:
            raise ValueError(f"{name} is not as long as its head says")
    return size


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    old = npy.read_magic(file) == (1, 0)
    read = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        return array
