"""An index of the images in tar shards."""

import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.shard_images import Member
from avalanche_pnr.benchmarks.reading.text_lists import listed
from avalanche_pnr.runs.array_files import read_arrays
from avalanche_pnr.runs.files import write_whole

Places = NDArray[np.int64]
"""Number of the shard, offset and size of each image, shape (N, 3)."""

MOST = 2**60
"""Largest size of a shard in bytes; the sum of two such numbers fits int64."""


def index_shards(shards: Sequence[str], image: str, kept: str | None) -> Places:
    """Find the images in tar shards.

    Args:
        shards: Paths of the tar files.
        image: Extensions of images, separated by ``;``.
        kept: ``.npz`` file of the index, which is made if it is not there; ``None`` to
            read the headers of all shards each time.

    Raises:
        FileNotFoundError: If there is no folder for the file.
        ValueError: As :func:`index_shard` does, or if the file is not the index of
            these shards.
    """
    facts = json.dumps([image, [(each, os.path.getsize(each)) for each in shards]])
    if kept is not None and os.path.exists(kept):
        return _read(kept, facts, shards)
    if kept is not None and not Path(kept).parent.is_dir():
        raise FileNotFoundError(
            f"{Path(kept).parent} is not a folder: make it, or name another file "
            "(data.index=...)"
        )
    with ThreadPool() as pool:
        found = pool.imap(partial(index_shard, image=image), shards)
        parts = list(progress(found, "indexing shards", len(shards)))
    numbers = np.repeat(np.arange(len(shards)), [len(part) for part in parts])
    places = np.column_stack([numbers, np.concatenate(parts)])
    if kept is not None:
        content = io.BytesIO()
        np.savez_compressed(content, facts=facts, places=places)
        write_whole(Path(kept), content.getvalue())
    return places


def index_shard(shard: str, image: str) -> NDArray[np.int64]:
    """Find the images in a shard: offset and size of each, shape (N, 2).

    Args:
        shard: Path of the tar file.
        image: Extensions of images, of which the first that a sample has counts.

    Raises:
        ValueError: If it is damaged, compressed or empty, or has a sample without an
            image.
    """
    try:
        with tarfile.open(shard, "r:") as tar:
            samples = list(webdataset().tariterators.group_by_keys(_files(tar)))
            _check_end(tar)
    except (tarfile.TarError, ValueError) as error:
        raise ValueError(
            f"{shard} is not a complete, uncompressed tar file of samples "
            f"({error.args[0]}): make it again"
        ) from error
    if not samples:
        raise ValueError(f"{shard} holds no sample: leave it out of data.path")
    return np.array([_image_of(sample, shard, image.split(";")) for sample in samples])


def webdataset() -> Any:
    """Import the library that reads tar shards.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import webdataset
    except ImportError as error:
        raise ImportError(
            "tar shards need webdataset: pip install 'avalanche-pnr[webdataset]', or "
            "unpack them into a folder (data=unlabelled)"
        ) from error
    return webdataset


def check_places(shards: Sequence[str], places: Places, max_bytes: int) -> None:
    """Refuse images that are too large, or beyond the end of their shard.

    Args:
        shards: Paths of the tar files.
        places: Places of their images.
        max_bytes: Largest size of an image in bytes.

    Raises:
        ValueError: If there is one, with the first such image.
    """
    number, offset, size = places.T
    for shard in np.unique(number):
        ends = np.where(number == shard, offset + size, 0)
        if ends.max() > os.path.getsize(shards[shard]):
            member = Member(shards[shard], *places[ends.argmax(), 1:].tolist())
            raise ValueError(
                f"{member} would end beyond the end of the file, which has changed or "
                "is sparse: make it again"
            )
    if size.max() > max_bytes:
        shard, *place = places[size.argmax()].tolist()
        raise ValueError(
            f"{Member(shards[shard], *place)} has {size.max()} bytes, and an image may "
            f"have {max_bytes}: leave it out of the shard, or allow more with "
            "max_bytes=... (data.max_bytes=...)"
        )


def _read(kept: str, facts: str, shards: Sequence[str]) -> Places:
    try:
        arrays = read_arrays(Path(kept), ("facts", "places"))
        if len(arrays) < 2:
            raise ValueError("it lacks facts or places")
        if str(arrays["facts"]) != facts:
            raise ValueError("it is of other shards, or they have changed")
        places = arrays["places"]
        if places.dtype != np.int64 or places.ndim != 2 or places.shape[1] != 3:
            raise ValueError(f"its places are {places.dtype} of shape {places.shape}")
        least, most = places.min(initial=0), places.max(axis=0, initial=0)
        if (
            not len(places)
            or least < 0
            or most[0] >= len(shards)
            or most[1:].max() > MOST
        ):
            raise ValueError("its places are not in these shards")
        return places
    except ValueError as reason:
        raise ValueError(
            f"{kept} is not the index of these shards ({reason}): remove it, or name "
            "another file (data.index=...)"
        ) from reason


def _files(tar: tarfile.TarFile) -> Iterator[dict[str, Any]]:
    """Files as webdataset groups them into samples, with places for content."""
    for file in filter(tarfile.TarInfo.isfile, tar):
        place = file.offset_data, file.size
        yield {"__url__": tar.name, "fname": file.name, "data": place}


def _check_end(tar: tarfile.TarFile) -> None:
    """Refuse a file that ends without a tar file's end, which tarfile accepts."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("its end is missing")


def _image_of(
    sample: dict[str, Any], shard: str, extensions: list[str]
) -> tuple[int, int]:
    for extension in extensions:
        if extension in sample:
            place: tuple[int, int] = sample[extension]
            return place
    found = [name for name in sample if not name.startswith("__")]
    raise ValueError(
        f"{shard}: sample {sample['__key__']} has no image, only {listed(found)}: add "
        "it, leave the sample out, or name the extension of images (data.image=...)"
    )
