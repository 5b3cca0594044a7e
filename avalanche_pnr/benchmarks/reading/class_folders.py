"""Folders of images, one for each class, perhaps in folders of domains."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.folder_files import folders_in, images_of_folders
from avalanche_pnr.benchmarks.reading.text_lists import listed


class ClassFolder(NamedTuple):
    """A folder of images of one class.

    Attributes:
        domain: Name of its domain, empty if there are none.
        name: Name of the class.
        path: The folder.
    """

    domain: str
    name: str
    path: Path


def find_class_folders(domains: Mapping[str, Path], expected: str) -> list[ClassFolder]:
    """List the folders in folders of domains, each a class, sorted by domain.

    Args:
        domains: Folder of each domain.
        expected: Expected content and how to get it, for error messages.

    Raises:
        FileNotFoundError: If there is no folder in that of a domain.
    """
    folders = {domain: folders_in(path) for domain, path in domains.items()}
    if empty := [str(domains[each]) for each, found in folders.items() if not found]:
        raise FileNotFoundError(
            f"there are no folders of classes in {listed(empty)}: {expected}"
        )
    return [
        ClassFolder(domain, name, folder)
        for domain, found in folders.items()
        for name, folder in found.items()
    ]


def class_names(folders: Iterable[ClassFolder]) -> list[str]:
    """List the names of the classes, each once, sorted."""
    return sorted({each.name for each in folders})


def read_class_folders(
    folders: Sequence[ClassFolder],
    classes: Sequence[str],
    domains: Sequence[str],
    expected: str,
) -> FileImages:
    """Read images at any depth in the folders; lists number the classes and domains.

    Images beside the folders are left out, with a warning.

    Args:
        folders: The folders.
        classes: Names of the classes.
        domains: Names of the domains, or none.
        expected: Expected content and how to get it, for error messages.

    Raises:
        FileNotFoundError: If a folder is not there or holds no image.
    """
    found = images_of_folders([each.path for each in folders], expected)
    return labelled_files(zip(folders, found, strict=True), classes, domains)


def labelled_files(
    found: Iterable[tuple[ClassFolder, Sequence[str]]],
    classes: Sequence[str],
    domains: Sequence[str],
) -> FileImages:
    """Read files as images with the numbers of their classes and domains.

    Args:
        found: Folders with the paths of their images.
        classes: Names of the classes.
        domains: Names of the domains, or none.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    places = {name: number for number, name in enumerate(domains)}
    images = [
        (path, numbers[folder.name], places.get(folder.domain, 0))
        for folder, paths in found
        for path in paths
    ]
    paths, targets, of_domains = zip(*images, strict=True) if images else ((), (), ())
    return FileImages(paths, targets, of_domains if domains else ())
