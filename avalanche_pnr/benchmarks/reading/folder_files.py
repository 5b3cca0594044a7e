"""Which images lie in which folders."""

import os
import warnings
from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path

from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.text_lists import listed

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
"""Endings of image files, in any case; other files are no images."""


def existing(path: Path) -> Path:
    """The same path.

    Raises:
        FileNotFoundError: If it is no folder.
    """
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path} is no folder: data.path must name a folder of images"
        )
    return path


def folders_in(path: Path) -> dict[str, Path]:
    """The folders of a folder by their names, sorted; hidden ones are left out."""
    with os.scandir(path) as entries:
        names = [each.name for each in entries if each.is_dir()]
    return {name: path / name for name in sorted(names) if not name.startswith(".")}


def images_in(folder: Path) -> list[str]:
    """Paths of the images in a folder, not below it, sorted; hidden ones left out."""
    with os.scandir(folder) as entries:
        files = [each.path for each in entries if _is_image(each.name)]
    return sorted(files)


def images_below(folder: Path) -> list[str]:
    """Paths of the images in a folder and in all folders below it, sorted by folder."""
    paths: list[str] = []
    walk = os.walk(folder, followlinks=True)
    for path, folders, files in progress(walk, "looking for images"):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [os.path.join(path, name) for name in sorted(files) if _is_image(name)]
    return paths


def images_of_folders(folders: Iterable[Path], expected: str) -> list[list[str]]:
    """Paths of the images in each folder, with a warning of those around.

    Images beside the folders, or in folders inside them, are left out.

    Args:
        folders: The folders.
        expected: What should be there, and how to get it, for error messages.

    Raises:
        FileNotFoundError: If a folder is not there or holds no image.
    """
    folders = list(folders)
    below = [images_below(each) for each in progress(folders, "looking for images")]
    paths = [
        [path for path in found if os.path.dirname(path) == str(folder)]
        for folder, found in zip(folders, below, strict=True)
    ]
    empty = [str(each) for each, found in zip(folders, paths, strict=True) if not found]
    if empty:
        raise FileNotFoundError(f"there are no images in {listed(empty)}: {expected}")
    _warn_of_strays(folders, set(chain(*below)) - set(chain(*paths)))
    return paths


def missing_files(paths: Iterable[str]) -> list[str]:
    """Paths that are not there, sorted; each folder is listed once, as that is fast."""
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        folders.setdefault(folder, set()).add(name)
    return sorted(
        path
        for folder, names in progress(folders.items(), "looking for images")
        for name in names - _names_in(folder)
        # A file system that ignores case lists names as they were written.
        if not os.path.exists(path := os.path.join(folder, name))
    )


def _names_in(folder: str) -> set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def _warn_of_strays(folders: Iterable[Path], inside: Collection[str]) -> None:
    beside = [path for each in {f.parent for f in folders} for path in images_in(each)]
    if strays := sorted({*beside, *inside}):
        warnings.warn(
            f"{len(strays)} images are left out, as they do not lie directly in the "
            f"folder of a class, such as {strays[0]}: move them if they belong to one",
            stacklevel=5,
        )


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
