"""Images as they arrive: where they lie, and who they are, by their content."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from avalanche_pnr.benchmarks.reading.array_images import ArrayImages
from avalanche_pnr.benchmarks.reading.damaged import without_damaged
from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.folder_files import images_below
from avalanche_pnr.benchmarks.reading.images import reduced
from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.shard_images import ShardImages
from avalanche_pnr.benchmarks.reading.shard_index import index_shards, webdataset
from avalanche_pnr.benchmarks.reading.text_lists import listed, read_lines
from avalanche_pnr.transforms.reduction import Reduction

Digests = NDArray[np.uint8]
"""Of images, 16 bytes each, shape (N, 16)."""

DIGEST_BYTES = 16


@dataclass(frozen=True, eq=False)
class Arrivals(Dataset[tuple[Image.Image, int]]):
    """Images without labels, each with its name.

    Attributes:
        images: PIL images (RGB) and whatever labels they have.
        names: Path of each, or its number.
        source: Where they come from, as text.
        damaged: Names of files that were left out.
    """

    images: Any
    names: Sequence[str]
    source: str
    damaged: tuple[str, ...] = ()

    @property
    def targets(self) -> list[int]:
        """-1 for each image: nothing here learns from labels."""
        return [-1] * len(self)

    @property
    def domains(self) -> list[int]:
        """None."""
        return []

    @property
    def have_one_size(self) -> bool:
        """Whether it is known that all are of one size: they are rows of an array."""
        images = self.images.images if isinstance(self.images, _Subset) else self.images
        return isinstance(images, ArrayImages)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        sample = self.images[index]
        return (sample[0] if isinstance(sample, tuple | list) else sample), -1

    def subset(self, indices: Sequence[int]) -> "Arrivals":
        """Some of the images, in the order of their indices."""
        return Arrivals(
            _Subset(self.images, indices),
            [self.names[index] for index in indices],
            self.source,
            self.damaged,
        )

    def reduced(self, reduction: Reduction) -> "Arrivals":
        """The same images, those of large JPEG files decoded smaller."""
        return replace(self, images=reduced(self.images, reduction))


class _Subset:
    images: Any

    def __init__(self, images: Any, indices: Sequence[int]) -> None:
        if isinstance(images, _Subset):
            images, indices = images.images, [images.indices[k] for k in indices]
        self.images = images
        self.indices = list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.images[self.indices[index]]

    def reduced(self, reduction: Reduction) -> "_Subset":
        return _Subset(reduced(self.images, reduction), self.indices)


def find_images(data: Any, *, skip_damaged: bool = False) -> Arrivals:
    """Images of whatever a user has.

    Args:
        data: A folder of images at any depth; a text file with a path a line (relative
            to that file); tar shards as webdataset names them; an ``.npz`` file with
            ``x``, uint8 (N, H, W, 3); or a data set of images, or of tuples that begin
            with one.
        skip_damaged: Whether to read every file once and leave damaged ones out.

    Raises:
        FileNotFoundError: If there is no such file, or no image in it.
        ValueError: If it is none of these.
    """
    if not isinstance(data, str | os.PathLike):
        return Arrivals(data, [str(k) for k in range(len(data))], type(data).__name__)
    path = Path(data).expanduser()
    source = os.path.abspath(path)
    images: Any
    if path.is_dir():
        (paths,) = images_below(str(path), [path])
        images = _files(paths, f"in {path} or below")
    elif ".tar" in path.name:
        images = _shards(str(path))
    elif not path.is_file():
        raise FileNotFoundError(
            f"data={data} does not exist: name a folder of images, a text file of "
            "paths, tar shards or an .npz file"
        )
    elif path.suffix == ".npz":
        images = _array(path)
    elif path.suffix == ".txt":
        lines = [os.path.expanduser(line) for line in read_lines(path)]
        paths = [os.path.join(path.parent, line) for line in lines]
        if missing := [each for each in paths if not os.path.isfile(each)]:
            raise FileNotFoundError(
                f"{path} lists {len(missing)} files that are not there, such as "
                f"{listed(missing, 3)}"
            )
        images = _files(paths, f"listed in {path}")
    else:
        raise ValueError(
            f"data={data} is not a folder, a text file of paths (.txt), tar shards or "
            "an .npz file"
        )
    damaged: list[str] = []
    if skip_damaged and not isinstance(images, ArrayImages):
        images, damaged = without_damaged(images)
    names = [_name(images, index) for index in range(len(images))]
    return Arrivals(images, names, source, tuple(damaged))


def digests(arrivals: Arrivals) -> Digests:
    """Digests of the content of images: equal files are equal images.

    Args:
        arrivals: Images; each file is read once, in as many threads as processors.

    Returns:
        Shape (N, 16).
    """
    with ThreadPool() as pool:
        content = pool.imap(
            lambda k: _content(arrivals.images, k), range(len(arrivals)), 16
        )
        rows = [
            np.frombuffer(
                hashlib.blake2b(each, digest_size=DIGEST_BYTES).digest(), np.uint8
            )
            for each in progress(content, "reading images", len(arrivals))
        ]
    return np.stack(rows) if rows else np.empty((0, DIGEST_BYTES), np.uint8)


def keys(rows: Digests) -> NDArray[np.void]:
    """Digests as single values, which numpy can sort and look up, shape (N,)."""
    return np.ascontiguousarray(rows).view(f"V{DIGEST_BYTES}").reshape(-1)


def summary(rows: Digests) -> str:
    """One digest of all images in their order, as text."""
    return hashlib.blake2b(rows.tobytes(), digest_size=DIGEST_BYTES).hexdigest()


def first_of_each(rows: Digests, learned: Iterable[Digests] = ()) -> NDArray[np.intp]:
    """Indices of the images that come first with their content, and are new.

    Args:
        rows: Digests of the images.
        learned: Digests of those that were learned before.
    """
    _, first = np.unique(keys(rows), return_index=True)
    new = np.zeros(len(rows), bool)
    new[first] = True
    for before in learned:
        new &= ~np.isin(keys(rows), keys(before))
    return np.flatnonzero(new)


def _files(paths: list[str], where: str) -> FileImages:
    if not paths:
        raise FileNotFoundError(f"there are no images {where}")
    return FileImages(paths, [-1] * len(paths))


def _shards(path: str) -> ShardImages:
    shards: list[str] = webdataset().shardlists.expand_urls(path)
    return ShardImages(shards, index_shards(shards, "jpg;jpeg;png;webp", None))


def _array(path: Path) -> ArrayImages:
    with np.load(path, allow_pickle=False) as file:
        if "x" not in file.files:
            raise ValueError(
                f"{path} lacks the array x of images, uint8 (N, H, W, 3); it holds "
                f"{', '.join(file.files) or 'nothing'}"
            )
        x = file["x"]
    if x.ndim != 4 or x.shape[3] != 3 or x.dtype != np.uint8:
        raise ValueError(
            f"{path}: x must be uint8 of shape (N, H, W, 3), got {x.dtype} of shape "
            f"{x.shape}"
        )
    return ArrayImages(x, np.full(len(x), -1))


def _name(images: Any, index: int) -> str:
    name: str = images.name(index) if isinstance(images, FileImages) else str(index)
    return name


def _content(images: Any, index: int) -> bytes:
    """The bytes of a file, or else the pixels of an image."""
    if isinstance(images, _Subset):
        return _content(images.images, images.indices[index])
    if isinstance(images, FileImages):
        return Path(images.paths[index]).read_bytes()
    if isinstance(images, ShardImages):
        with images.member(index).open() as file:
            return file.read()
    sample = images[index]
    image = sample[0] if isinstance(sample, tuple | list) else sample
    pixels = np.asarray(image)
    return str(pixels.shape).encode() + pixels.tobytes()
