"""Which images lie in which folders."""

import os
from collections.abc import Iterable
from pathlib import Path

from avalanche_pnr.benchmarks.progress import progress
from avalanche_pnr.benchmarks.text_lists import listed

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
"""Endings of image files, in any case; other files are no images."""


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
    """Paths of the images in each folder.

    Args:
        folders: The folders.
        expected: What should be there, and how to get it, for error messages.

    Raises:
        FileNotFoundError: If a folder is not there or holds no image.
    """
    folders = list(folders)
    paths = [
        images_in(each) if each.is_dir() else []
        for each in progress(folders, "looking for images")
    ]
    empty = [str(each) for each, found in zip(folders, paths, strict=True) if not found]
    if empty:
        raise FileNotFoundError(f"there are no images in {listed(empty)}: {expected}")
    return paths


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
