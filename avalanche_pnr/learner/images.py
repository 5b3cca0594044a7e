"""Images as they arrive: where they lie, and who they are, by their content."""

import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from avalanche_pnr.benchmarks.reading.array_images import ArrayImages
from avalanche_pnr.benchmarks.reading.damaged import without_damaged
from avalanche_pnr.benchmarks.reading.file_images import FileImages, allow_pixels
from avalanche_pnr.benchmarks.reading.folder_files import images_below
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.images import reduced
from avalanche_pnr.benchmarks.reading.shard_images import ShardImages
from avalanche_pnr.benchmarks.reading.shard_index import index_shards, webdataset
from avalanche_pnr.benchmarks.reading.text_lists import listed, read_lines
from avalanche_pnr.learner.digests import Digests, content_digests
from avalanche_pnr.learner.pictures import Pictures
from avalanche_pnr.learner.targets import call, imported
from avalanche_pnr.runs.array_files import read_arrays
from avalanche_pnr.transforms.reduction import Reduction

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
