"""Atomic files, written as a whole or not at all, and states kept in them."""

import hashlib
import io
import os
import pickletools
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

VERSION = 1
"""Version of the states that this release writes."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Functions that convert a state of a version to the next; others are refused."""

_DIGEST = 32


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all, whatever happens meanwhile.

    Args:
        path: The file, whose content is replaced.
        content: Its new content.

    Raises:
        OSError: If it cannot be written; the file is unchanged.
    """
    with replacing(path) as file:
        file.write(content)


def file_checksum(path: Path) -> str:
    """Compute a checksum of a file's content, 16 hexadecimal digits.

    Args:
        path: The file.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8))
    return digest.hexdigest()


def append(path: Path, text: str) -> None:
    """Append to a file.

    Args:
        path: The file, which is created if need be.
        text: Text to append.

    Raises:
        OSError: If it cannot be written, with the file's name.
    """
    with _naming(path), path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(text)


@contextmanager
def replacing(path: Path, keep: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a file that replaces another once it is whole and on the disk.

    Args:
        path: The file to be replaced.
        keep: Path at which the replaced file is kept, if any.

    Yields:
        The file to write to.

    Raises:
        OSError: If it cannot be written; ``path`` is unchanged.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # a link there would lead to another file
        with _naming(path), part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            path.replace(keep)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def previous(path: Path) -> Path:
    """Return the path at which :func:`save_state` keeps the state before the last."""
    return path.with_name(f"{path.name}.previous")


def save_state(path: str | Path, state: dict[str, Any]) -> None:
    """Write a state, and keep the one before as ``<path>.previous``.

    The file is one of ``torch.save`` with a checksum behind it.

    Args:
        path: The file; its folder must exist.
        state: Tensors, numbers, text and containers of them.

    Raises:
        OSError: If it cannot be written; both files are unchanged.
    """
    import torch  # here, since a report writes files and does without

    path = Path(path)
    buffer = io.BytesIO()  # torch.save hides what goes wrong with a file
    torch.save({"version": VERSION, "state": dict(state)}, buffer)
    data = buffer.getbuffer()
    try:
        with replacing(path, keep=previous(path)) as file:
            file.write(data)
            file.write(_digest(data))
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"the state cannot be saved as {path} ({reason}): the one before is kept"
        ) from error


class LoadedState(dict[str, Any]):
    """A state that was read from a file, for error messages that name the file.

    Args:
        state: Content of the file, or a part of it.
        path: The file.
    """

    def __init__(self, state: Mapping[str, Any], path: Path) -> None:
        super().__init__(state)
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:  # a file holds dictionaries alone
        return OrderedDict, (), None, None, iter(self.items())


@contextmanager
def naming_file(state: Mapping[str, Any]) -> Iterator[None]:
    """Add the file that a state was read from to errors.

    Args:
        state: The state.

    Raises:
        ValueError: Instead of any ``ValueError``, if it was read from a file.
    """
    try:
        yield
    except Exception as error:  # plugins of others raise what they like
        if not isinstance(state, LoadedState):
            raise
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{state.path} cannot be used: {kind}{error}") from error


def load_state(path: str | Path) -> LoadedState:
    """Read a state that :func:`save_state` wrote; nothing in the file is executed.

    If the file is missing or damaged, the state before it is read, with a warning.

    Args:
        path: The file.

    Returns:
        The state, its tensors on the CPU; errors in using it name the file.

    Raises:
        FileNotFoundError: If there is neither of the two.
        ValueError: If both are damaged, or the file is of a version that cannot be
            read, or holds anything but tensors and plain data.
    """
    path = Path(path)
    before = previous(path)
    if not path.exists() and not before.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        return read_state(path)
    except _DamagedError as damage:
        try:
            state = read_state(before)
        except _DamagedError as other:
            raise ValueError(
                f"{damage}, and {other}: there is no state to continue from"
            ) from None
        warnings.warn(f"{damage}: using {before}, the state before", stacklevel=2)
        return state


def load_plain(path: str | Path) -> Any:
    """Read any file of ``torch.save``; nothing in the file is executed.

    Args:
        path: The file.

    Returns:
        Its content, with tensors on the CPU.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is damaged, or holds anything but tensors and plain
            data, with the remedy.
    """
    path = Path(path)
    data = memoryview(path.read_bytes())
    weights = ".state_dict()" if _is_object(data) else "['state_dict']"
    remedy = (
        "; if you trust it, keep its weights alone, torch.save(torch.load(PATH, "
        f"weights_only=False){weights}, ...), where it was made"
    )
    return _plain(path, data, remedy)


def _is_object(data: memoryview) -> bool:
    """Return whether a file of ``torch.save`` holds a whole network."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            steps = pickletools.genops(archive.read(name))
    except (zipfile.BadZipFile, StopIteration):
        return False  # damaged, or as torch.save wrote long ago
    first, argument = next((op, arg) for op, arg, _ in steps if op.name != "PROTO")
    return first.name == "GLOBAL" and argument != "collections OrderedDict"


class _DamagedError(ValueError):
    """Raised for a file that is missing or not as it was written."""


def read_state(path: Path) -> LoadedState:
    """Read a state from this file alone, not from the one before.

    Args:
        path: The file.

    Raises:
        ValueError: If it is missing or damaged, or as :func:`load_state` does.
    """
    from avalanche_pnr.runs import state_checks  # which imports torch

    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        raise _DamagedError(f"{path} is missing") from None
    data, digest = content[:-_DIGEST], content[-_DIGEST:]
    if _digest(data) != digest:
        raise _DamagedError(f"{path} is damaged")
    saved = _plain(path, data)
    try:
        state_checks.check_plain(saved, "it")
        state_checks.check_keys(saved, ("version", "state"), "it")
        state_checks.check_count(saved["version"], "its version")
        state_checks.check_type(saved["state"], "what it holds", dict, OrderedDict)
    except ValueError as error:
        raise ValueError(f"{path} is not a state: {error}") from error
    return LoadedState(_migrated(path, saved), path)


def _plain(path: Path, data: memoryview, remedy: str = "") -> Any:
    """Read a file of ``torch.save`` that holds tensors and plain data."""
    import torch

    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged ones raise whatever their bytes lead to
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise ValueError(
                f"{path} is damaged, or not a file of torch.save: fetch it again, or "
                "save state_dict() with torch.save"
            ) from error
        raise ValueError(
            f"{path} holds something else than tensors and plain data "
            f"({refused[1]}), and is not opened{remedy}"
        ) from error


def _digest(data: memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _migrated(path: Path, saved: dict[str, Any]) -> dict[str, Any]:
    version, state = saved["version"], saved["state"]
    while version != VERSION:
        if version not in MIGRATIONS:
            release = "a newer" if version > VERSION else "an older"
            raise ValueError(
                f"{path} is of version {version}, written by {release} release; this "
                f"one reads version {VERSION}: continue with that release, or begin "
                "anew in another folder"
            )
        state = MIGRATIONS[version](state)
        version += 1
    checked: dict[str, Any] = state
    return checked


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors of the system, also in that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Make the names of files in a folder survive a power failure."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows has no such thing
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
