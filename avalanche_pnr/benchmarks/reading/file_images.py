"""Images in files."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset


class UnreadableImageError(OSError):
    """Raised for an image whose file is missing or damaged."""


class FileImages(Dataset[tuple[Image.Image, int]]):
    """Images in files as RGB PIL images, with labels; a file is read when asked for.

    Args:
        paths: Files of any format and mode that PIL reads, N of them.
        targets: Classes, N.
        domains: Domains, N, or none.

    Attributes:
        paths: The files, as text.
        targets: Classes as a list, where Avalanche looks for them.
        domains: Domains as a list, empty if there are none.

    Raises:
        UnreadableImageError: On access to an image whose file is missing or damaged.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        targets: Sequence[int],
        domains: Sequence[int] = (),
    ) -> None:
        self.paths = [str(path) for path in paths]
        self.targets = list(targets)
        self.domains = list(domains)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        path = self.paths[index]
        return read_rgb(path, path), self.targets[index]

    def subset(self, indices: Sequence[int]) -> "FileImages":
        """Some of the images, in the order of their indices."""
        return FileImages(
            [self.paths[index] for index in indices],
            [self.targets[index] for index in indices],
            [self.domains[index] for index in indices] if self.domains else [],
        )

    def name(self, index: int) -> str:
        """The path of an image."""
        return self.paths[index]


def read_rgb(file: str | BinaryIO, name: object) -> Image.Image:
    """An image in memory as RGB; transparency is dropped, 16 bits are cut to 8.

    Args:
        file: Path or file of any format and mode that PIL reads; mode ``F`` must be
            0..1, and mode ``I`` 0..255 or 0..65535.
        name: What is printed in an error.

    Raises:
        UnreadableImageError: If the file is missing or damaged, or its values beyond
            that.
    """
    try:
        with Image.open(file) as image:
            return _to_rgb(image)
    except Exception as error:  # PIL's decoders raise a dozen kinds
        raise UnreadableImageError(
            f"{name} cannot be read as an image ({error}): replace it, or leave "
            "damaged files out with skip_damaged=True (data.skip_damaged=true)"
        ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # which PIL would clip to 0..255
        image = Image.fromarray(_eight_bits(image))
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Grey values of an image of mode F, I or 16 bits."""
    values = grey = np.asarray(image)
    if image.mode == "F":
        grey = np.rint(values * 255)
    elif image.mode != "I" or values.max() > 255:
        grey = values >> 8
    if not (grey.min() >= 0 and grey.max() <= 255):  # NaN is neither
        raise ValueError(
            f"its values, of mode {image.mode}, are {values.min()}..{values.max()}; "
            "they must be 0..1 (F), or 0..255 or 0..65535 (I)"
        )
    return grey.astype(np.uint8)
