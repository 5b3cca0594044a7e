"""Images inside uncompressed tar files."""

import tarfile
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from io import BufferedReader
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from avalanche_pnr.benchmarks.reading.file_images import read_rgb
from avalanche_pnr.benchmarks.reading.file_window import FileWindow
from avalanche_pnr.transforms.reduction import Reduction


class Member(NamedTuple):
    """A file inside an uncompressed tar file.

    Attributes:
        shard: Path of the tar file.
        offset: Position of its first byte in the tar file.
        size: Its size in bytes.
    """

    shard: str
    offset: int
    size: int

    def __str__(self) -> str:
        """The file's name, which is looked up, and that of its shard."""
        name = f"byte {self.offset}"
        # A shard that has changed since it was indexed may be no tar file any more.
        with suppress(tarfile.TarError), tarfile.open(self.shard, "r:") as tar:
            names = (each.name for each in tar if each.offset_data == self.offset)
            name = next(names, name)
        return f"{name} in {self.shard}"

    def open(self) -> BinaryIO:
        """Open the content as a file; bytes are read when they are asked for."""
        return BufferedReader(FileWindow(self.shard, self.offset, self.size))


class ShardImages(Dataset[tuple[Image.Image, int]]):
    """Unlabelled images inside tar files; an image is read when asked for.

    Nothing is kept open and nothing else is read, so that any process may read any
    image at any time.

    Args:
        shards: Paths of the tar files.
        places: Number of the shard, offset and size of each image, shape (N, 3).
        max_pixels: As for :class:`FileImages`.

    Attributes:
        places: The places, as given.
        targets: -1 for each image, as they have no classes.
        domains: Empty.

    Raises:
        OSError: On access to an image that is damaged, or whose shard is missing.
        TooLargeImageError: On access to an image of more pixels than are opened.
    """

    def __init__(
        self,
        shards: Sequence[str],
        places: NDArray[np.int64],
        max_pixels: int | None = None,
    ) -> None:
        self._shards = shards
        self._max_pixels = max_pixels
        self._reduction: Reduction | None = None
        self.places = places
        self.targets = [-1] * len(places)
        self.domains: list[int] = []

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        member = self.member(index)
        with member.open() as file:
            image = read_rgb(file, member, self._max_pixels, self._reduction)
        return image, self.targets[index]

    def subset(self, indices: Sequence[int]) -> "ShardImages":
        """Select images, in the order of their indices."""
        images = copy(self)
        images.places = self.places[indices]
        images.targets = [-1] * len(images.places)
        return images

    def reduced(self, reduction: Reduction) -> "ShardImages":
        """Return the same images, those of large JPEG files decoded smaller."""
        images = copy(self)
        images._reduction = reduction
        return images

    def name(self, index: int) -> str:
        """Name an image and its shard."""
        return str(self.member(index))

    def member(self, index: int) -> Member:
        """Return the tar member that holds an image."""
        shard, offset, size = self.places[index].tolist()
        return Member(self._shards[shard], offset, size)
