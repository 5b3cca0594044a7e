"""Images as they arrive: where they lie, and who they are, by their content."""

import hashlib
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from avalanche_pnr.benchmarks.reading.array_images import ArrayImages
from avalanche_pnr.benchmarks.reading.damaged import without_damaged
from avalanche_pnr.benchmarks.reading.file_images import FileImages, allow_pixels
from avalanche_pnr.benchmarks.reading.folder_files import images_below
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.images import reduced
from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.shard_images import ShardImages
from avalanche_pnr.benchmarks.reading.shard_index import index_shards, webdataset
from avalanche_pnr.benchmarks.reading.text_lists import listed, read_lines
from avalanche_pnr.learner.pictures import Pictures
from avalanche_pnr.learner.targets import call, imported
from avalanche_pnr.runs.array_files import read_arrays
from avalanche_pnr.transforms.reduction import Reduction

Digests = NDArray[np.uint8]
"""Digests of the content of images, 16 bytes each, shape (N, 16)."""

DIGEST_BYTES = 16
TARGET = "_target_"
"""Key of the class or function that makes a data set."""


@dataclass(frozen=True, eq=False)
class Arrivals(Dataset[tuple[Image.Image, int]]):
    """Images without labels, each with its name.

    Attributes:
        images: PIL images (RGB) and whatever labels they have.
        names: Path of each, or its number.
        source: Where they come from, as text.
        damaged: Names of files that were left out.
        known_digests: Digests of the images, if they have been computed.
    """

    images: Any
    names: Sequence[str]
    source: str
    damaged: tuple[str, ...] = ()
    known_digests: Digests | None = None

    @property
    def targets(self) -> list[int]:
        """-1 for each image: nothing here learns from labels."""
        return [-1] * len(self)

    @property
    def domains(self) -> list[int]:
        """An empty list: there are no domains."""
        return []

    @cached_property
    def digests(self) -> Digests:
        """Digests of the images' content, computed when first asked for, (N, 16)."""
        if self.known_digests is not None:
            return self.known_digests
        return content_digests(self.images)

    @property
    def have_one_size(self) -> bool:
        """True if all are known to be of one size: they are rows of an array."""
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
            self.digests[list(indices)],
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


def find_images(
    data: Any, *, skip_damaged: bool = False, max_pixels: int | None = None
) -> Arrivals:
    """Find the images in whatever a user has.

    Args:
        data: A folder of images at any depth; a text file with a path a line (relative
            to that file); tar shards as webdataset names them; an ``.npz`` file with
            ``x``, uint8 (N, H, W, 3); a dictionary with ``_target_``, the dotted name
            of a data set, and its arguments; or a data set of images, of tuples that
            begin with one, or of dictionaries with one: of PIL, uint8 (H, W, 3), or a
            tensor (3, H, W) in 0..1.
        skip_damaged: Whether to read every file once and leave damaged ones out.
        max_pixels: Pixels that an image may have; ``None`` for the limit of Pillow,
            about 179 million.

    Raises:
        FileNotFoundError: If there is no such file, or no image in it.
        ValueError: If it is none of these.
    """
    allow_pixels(max_pixels)
    if isinstance(data, Mapping) and TARGET in data:
        return _of_target(data)
    if not isinstance(data, str | os.PathLike):
        return _of_data_set(data, type(data).__name__)
    path = Path(data).expanduser()
    images = _found(path, data, max_pixels)
    damaged: list[str] = []
    if skip_damaged and not isinstance(images, ArrayImages):
        images, damaged = without_damaged(images)
    if not len(images):
        raise FileNotFoundError(
            f"data={data} holds no image that can be read: all {len(damaged)} are "
            f"damaged, such as {listed(damaged, 1)}"
        )
    return Arrivals(images, _names(images), os.path.abspath(path), tuple(damaged))


def _of_target(description: Mapping[str, Any]) -> Arrivals:
    """Make the data set that a ``_target_`` and its arguments describe."""
    target = str(description[TARGET])
    arguments = {k: v for k, v in description.items() if k != TARGET}
    made = call("data", imported(f"data.{TARGET}", target), arguments)
    source = " ".join([target, *(f"{k}={v}" for k, v in arguments.items())])
    return _of_data_set(made, source)


def _of_data_set(data: Any, source: str) -> Arrivals:
    images: Any = data.train if isinstance(data, ImageData) else Pictures(data, source)
    if not len(images):
        raise FileNotFoundError(f"{source} holds no image")
    return Arrivals(images, _names(images), source)


def _found(path: Path, data: Any, max_pixels: int | None) -> Any:
    """Find the images of a folder or file."""
    if path.is_dir():
        (paths,) = images_below(str(path), [path])
        return _files(paths, f"in {path} or below", max_pixels)
    if ".tar" in path.name:
        return _shards(str(path), max_pixels)
    if not path.is_file():
        raise FileNotFoundError(
            f"data={data} does not exist: name a folder of images, a text file of "
            "paths, tar shards or an .npz file"
        )
    if path.suffix == ".npz":
        return _array(path)
    if path.suffix == ".txt":
        paths = [beside(path, line) for line in read_lines(path)]
        if missing := [each for each in paths if not os.path.isfile(each)]:
            raise FileNotFoundError(
                f"{path} lists {len(missing)} files that are not there, such as "
                f"{listed(missing, 3)}: write paths that begin at the folder of that "
                "file, or whole ones"
            )
        return _files(paths, f"listed in {path}", max_pixels)
    raise ValueError(
        f"data={data} is not a folder, a text file of paths (.txt), tar shards or an "
        ".npz file"
    )


def beside(file: Path, path: str) -> str:
    """Return a path that a file lists: relative to it, with ``~``, or absolute."""
    return os.path.join(file.parent, os.path.expanduser(path))


def content_digests(images: Any) -> Digests:
    """Compute digests of the content of images: equal files are equal images.

    Each file is read once, in as many threads as there are processors; data sets of
    others, which may not bear threads, are read one image at a time.

    Args:
        images: As :class:`Arrivals` has them, N of them.

    Returns:
        Shape (N, 16).
    """
    has_files = isinstance(images, FileImages | ShardImages)
    count = len(images)
    found = np.empty((count, DIGEST_BYTES), np.uint8)
    with ThreadPool(None if has_files else 1) as pool:
        contents = pool.imap(lambda index: _digest(images, index), range(count), 16)
        for index, digest in enumerate(progress(contents, "reading images", count)):
            found[index] = np.frombuffer(digest, np.uint8)
    return found


def _digest(images: Any, index: int) -> bytes:
    content = _content(images, index)
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def keys(digests: Digests) -> NDArray[np.void]:
    """Return digests as single values that numpy sorts and looks up, shape (N,)."""
    return np.ascontiguousarray(digests).view(f"V{DIGEST_BYTES}").reshape(-1)


def summary(digests: Digests) -> str:
    """Compute one digest of all images in their order, as text."""
    return hashlib.blake2b(digests.tobytes(), digest_size=DIGEST_BYTES).hexdigest()


def first_of_each(
    digests: Digests, learned: Iterable[Digests] = ()
) -> NDArray[np.intp]:
    """Find the images that come first with their content, and are new.

    Args:
        digests: Digests of the images.
        learned: Digests of those that were learned before.

    Returns:
        Their indices, in order.
    """
    _, first = np.unique(keys(digests), return_index=True)
    new = np.zeros(len(digests), bool)
    new[first] = True
    for before in learned:
        new &= ~np.isin(keys(digests), keys(before))
    return np.flatnonzero(new)


def _files(paths: list[str], where: str, max_pixels: int | None) -> FileImages:
    if not paths:
        raise FileNotFoundError(
            f"there are no images {where}: data= must name a folder of images, a text "
            "file of their paths (.txt), tar shards or an .npz file"
        )
    return FileImages(paths, [-1] * len(paths), max_pixels=max_pixels)


def _shards(path: str, max_pixels: int | None) -> ShardImages:
    shards: list[str] = webdataset().shardlists.expand_urls(path)
    if missing := [each for each in shards if not os.path.isfile(each)]:
        raise FileNotFoundError(
            f"there are no shards {listed(missing, 3)}: data= must name files that are "
            "there, as in data='train-{0000..0099}.tar'"
        )
    places = index_shards(shards, "jpg;jpeg;png;webp", None)
    return ShardImages(shards, places, max_pixels)


def _array(path: Path) -> ArrayImages:
    try:
        arrays = read_arrays(path, ["x"])
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read as .npz ({error}): save it anew with "
            "numpy.savez(path, x=images)"
        ) from error
    if "x" not in arrays:
        raise ValueError(
            f"{path} lacks the array x of images, uint8 (N, H, W, 3): save it with "
            "numpy.savez(path, x=images)"
        )
    x = arrays["x"]
    if x.ndim != 4 or x.shape[3] != 3 or x.dtype != np.uint8:
        raise ValueError(
            f"{path}: x must be uint8 of shape (N, H, W, 3), got {x.dtype} of shape "
            f"{x.shape}"
        )
    return ArrayImages(x, np.full(len(x), -1))


def _names(images: Any) -> Sequence[str]:
    """Name each image by its path, ``shard.tar/member`` in a shard, or its number."""
    if isinstance(images, FileImages):
        return images.paths
    if isinstance(images, ShardImages):
        return _member_names(images)
    return [str(index) for index in range(len(images))]


def _member_names(images: ShardImages) -> list[str]:
    members = [images.member(index) for index in range(len(images))]
    names = {}
    for shard in dict.fromkeys(each.shard for each in members):
        with tarfile.open(shard, "r:") as tar:
            names.update({(shard, file.offset_data): file.name for file in tar})
    return [f"{each.shard}/{names[each.shard, each.offset]}" for each in members]


def _content(images: Any, index: int) -> bytes:
    """Read the bytes of a file, or else the pixels of an image."""
    if isinstance(images, FileImages):
        return Path(images.paths[index]).read_bytes()
    if isinstance(images, ShardImages):
        with images.member(index).open() as file:
            return file.read()
    sample = images[index]
    image = sample[0] if isinstance(sample, tuple | list) else sample
    pixels = np.asarray(image)
    return str(pixels.shape).encode() + pixels.tobytes()
