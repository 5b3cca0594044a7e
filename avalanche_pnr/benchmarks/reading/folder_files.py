"""Finding images in folders."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from avalanche_pnr.benchmarks.reading.formats import is_image, kind_of
from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.text_lists import listed

LEFTOVERS = {
    "$recycle.bin",
    ".ds_store",
    "@eadir",
    "__macosx",
    "desktop.ini",
    "lost+found",
    "system volume information",
    "thumbs.db",
}
"""Names left behind by file managers and archives, in lower case."""
Identity = tuple[int, int]
"""Device and number of a folder, by whatever name it is reached."""


def existing(path: str | Path) -> Path:
    """Return the folder at a path, in which ``~`` is the user's home.

    Raises:
        FileNotFoundError: If it is not a folder.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not a folder: data.path must name a folder of images"
        )
    return folder


def folders_in(path: Path) -> dict[str, Path]:
    """List the folders in a folder, sorted, without hidden ones and leftovers."""
    with os.scandir(path) as entries:
        names = [each.name for each in entries if os.path.isdir(each.path)]
    return {name: path / name for name in sorted(names) if not _is_leftover(name)}


def is_empty(folder: Path) -> bool:
    """Return whether a folder holds nothing but hidden files and leftovers."""
    with os.scandir(folder) as entries:
        return all(_is_leftover(each.name) for each in entries)


def images_in(folder: Path) -> list[str]:
    """List the images in a folder, not below it, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(
            os.path.join(folder, each.name)
            for each in entries
            if is_image(each.name) and not _is_leftover(each.name) and _is_file(each)
        )


def images_below(
    source: str, folders: Sequence[Path], beside: Iterable[Path] = ()
) -> list[list[str]]:
    """Find the images in each folder and at any depth below it, sorted by path.

    Every real folder is looked into once, whatever links lead to it: those that lie
    below the folders themselves go before those that are linked to. What is left out
    is counted and named in one warning.

    Args:
        source: Place of the folders, for the warning.
        folders: The folders; none lies below another.
        beside: Folders that hold these, whose other files are left out and named.

    Returns:
        Paths of the images of each folder.
    """
    search = _Search(folders, beside)
    found: list[list[str]] = [[] for _ in folders]
    for number, path in progress(search.images(), "looking for images"):
        found[number].append(path)
    if search.left_out:
        kinds = [f"{count} {kind}" for kind, count in search.left_out.most_common()]
        more = f" and {len(kinds) - 10} other kinds" if len(kinds) > 10 else ""
        warnings.warn(
            f"{source}: left out, as they are not images that Pillow reads here: "
            f"{', '.join(kinds[:10])}{more}",
            stacklevel=4,
        )
    return [sorted(paths) for paths in found]


def images_of_folders(folders: Iterable[Path], expected: str) -> list[list[str]]:
    """List the images at any depth in each folder, and warn of those beside.

    Args:
        folders: The folders.
        expected: Expected content and how to get it, for error messages.

    Raises:
        FileNotFoundError: If a folder is not there or holds no image.
    """
    folders = list(folders)
    there = [each for each in folders if each.is_dir()]
    source = os.path.commonpath(there) if there else ""
    found = dict(zip(there, images_below(source, there), strict=True))
    if empty := [str(each) for each in folders if not found.get(each)]:
        raise FileNotFoundError(f"there are no images in {listed(empty)}: {expected}")
    warn_of_strays(folders)
    return [found[each] for each in folders]


def warn_of_strays(folders: Iterable[Path]) -> None:
    """Warn of images that lie beside folders of classes, which leaves them out."""
    parents = {each.parent for each in folders}
    if strays := sorted(path for each in parents for path in images_in(each)):
        warnings.warn(
            f"{len(strays)} images are left out, as they are not in the folder of "
            f"a class, such as {strays[0]}: move them if they belong to one",
            stacklevel=4,
        )


def missing_files(paths: Iterable[str]) -> list[str]:
    """List the missing paths, sorted; each folder is read once, as that is fast."""
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


class _Search:
    """Goes through folders, and afterwards through what they link to.

    Attributes:
        left_out: Number of files and folders that are not images, by kind.
    """

    def __init__(self, folders: Sequence[Path], beside: Iterable[Path]) -> None:
        self.left_out: Counter[str] = Counter()
        self._waiting: list[tuple[int, str]] = []
        self._links: list[tuple[int, str]] = []
        for number, folder in enumerate(folders):
            self._put_off(number, str(folder))
        # A link to what holds the folders leads in a circle, or to other classes.
        holders = {*chain(*(_holders(each) for each in folders))}
        self._seen = {_identity(each) for each in holders}
        for folder in {*beside}:
            with os.scandir(folder) as entries:
                self.left_out.update(filter(None, map(_left_out, entries)))

    def images(self) -> Iterator[tuple[int, str]]:
        """The images, each with the number of its folder."""
        while self._waiting or self._links:
            if not self._waiting:
                self._waiting, self._links = self._links, []
            number, folder = self._waiting.pop()
            if (identity := _identity(folder)) not in self._seen:
                self._seen.add(identity)
                yield from ((number, path) for path in self._look_into(number, folder))

    def _look_into(self, number: int, folder: str) -> Iterator[str]:
        try:
            entries = os.scandir(folder)
        except PermissionError:
            self.left_out["folders that may not be read"] += 1
            return
        with entries:
            for entry in entries:
                if kind := _left_out(entry):
                    self.left_out[kind] += 1
                elif is_image(entry.name) and _is_file(entry):
                    yield entry.path
                else:
                    self._put_off(number, entry.path)

    def _put_off(self, number: int, folder: str) -> None:
        later = self._links if os.path.islink(folder) else self._waiting
        later.append((number, folder))


def _left_out(entry: "os.DirEntry[str]") -> str | None:
    """The kind of an entry that is neither an image nor a folder to look into."""
    name = entry.name
    if name.lower() in LEFTOVERS:
        return name
    if name.startswith("."):
        return "hidden"
    if _is_file(entry):
        return None if is_image(name) else kind_of(name)
    return None if os.path.isdir(entry.path) else "links that lead nowhere"


def _is_file(entry: "os.DirEntry[str]") -> bool:
    # Of a link in a circle is_file() raises.
    return os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file()


def _holders(folder: Path) -> set[Path]:
    """The folders above one, by its name and by what that links to."""
    return {*folder.absolute().parents, *folder.resolve().parents}


def _identity(folder: str | Path) -> Identity:
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _names_in(folder: str) -> set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def _is_leftover(name: str) -> bool:
    return name.startswith(".") or name.lower() in LEFTOVERS
