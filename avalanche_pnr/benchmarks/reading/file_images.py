"""Images in files."""

import re
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from torch.utils.data import Dataset

from avalanche_pnr.benchmarks.reading.rgb import to_rgb
from avalanche_pnr.transforms.reduction import Reduction

REPLACE = (
    ": replace it, or leave damaged files out with skip_damaged=True (for a learner on "
    "the command line skip_damaged=true, in a run of experiments "
    "data.skip_damaged=true)"
)
"""What to do about an image that cannot be read, before a training begins."""


class UnreadableImageError(OSError):
    """Raised for an image whose file is missing or damaged."""


class TooLargeImageError(ValueError):
    """Raised for an image of more pixels than are opened without being asked to."""


class FileImages(Dataset[tuple[Image.Image, int]]):
    """Images in files as RGB PIL images, with labels; a file is read when asked for.

    Args:
        paths: Files of any format and mode that Pillow reads, N of them.
        targets: Classes, N.
        domains: Domains, N, or none.
        max_pixels: Pixels that an image may have; ``None`` for the limit of Pillow,
            about 179 million. More raises Pillow's limit in every process that reads.

    Attributes:
        paths: The files, as text.
        targets: Classes as a list, where Avalanche looks for them.
        domains: Domains as a list, empty if there are none.

    Raises:
        TooLargeImageError: On access to an image of more pixels than are opened.
        UnreadableImageError: On access to an image whose file is missing or damaged.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        targets: Sequence[int],
        domains: Sequence[int] = (),
        max_pixels: int | None = None,
    ) -> None:
        self.paths = [str(path) for path in paths]
        self.targets = list(targets)
        self.domains = list(domains)
        self.max_pixels = max_pixels
        self._reduction: Reduction | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        path = self.paths[index]
        image = read_rgb(path, path, self.max_pixels, self._reduction)
        return image, self.targets[index]

    def subset(self, indices: Sequence[int]) -> "FileImages":
        """Select images, in the order of their indices."""
        images = copy(self)
        images.paths = [self.paths[index] for index in indices]
        images.targets = [self.targets[index] for index in indices]
        images.domains = [self.domains[index] for index in indices if self.domains]
        return images

    def reduced(self, reduction: Reduction) -> "FileImages":
        """Return the same images, those of large JPEG files decoded smaller."""
        images = copy(self)
        images._reduction = reduction
        return images

    def name(self, index: int) -> str:
        """Return the path of an image."""
        return self.paths[index]


def read_rgb(
    file: str | BinaryIO,
    name: object,
    max_pixels: int | None = None,
    reduction: Reduction | None = None,
) -> Image.Image:
    """Read an image as RGB, as :func:`to_rgb` makes it.

    Args:
        file: Path or file of any format and mode that Pillow reads.
        name: Name of the image in error messages.
        max_pixels: As for :class:`FileImages`.
        reduction: Factor by which a JPEG file may be decoded smaller, which is
            several times as fast: 2, 4 or 8 times shorter sides.

    Raises:
        TooLargeImageError: If the image has more than ``max_pixels``, or than Pillow
            opens.
        UnreadableImageError: If the file is missing or damaged.
    """
    allow_pixels(max_pixels)
    try:
        with Image.open(file) as image:
            _check_size(image, max_pixels)
            if reduction is not None:
                factor = reduction.factor(*image.size)
                image.draft(None, (image.width // factor, image.height // factor))
            return to_rgb(image)
    except Image.DecompressionBombError as error:
        pixels, limit = re.findall(r"\d+", str(error))
        raise TooLargeImageError(
            f"{name} is too large: {pixels} pixels, and files of more than {limit} "
            "are not opened, as they may be made to fill the memory: reduce it, or "
            f"allow it with max_pixels={pixels} (in a run of experiments, "
            f"data.max_pixels={pixels})"
        ) from error
    except Exception as error:  # Pillow's decoders raise a dozen kinds
        reason = str(error) or type(error).__name__
        raise UnreadableImageError(
            f"{name} cannot be read as an image ({reason}){REPLACE}"
        ) from error


def _check_size(image: Image.Image, max_pixels: int | None) -> None:
    pixels = image.width * image.height
    if max_pixels is not None and pixels > max_pixels:
        raise Image.DecompressionBombError(f"{pixels} pixels, {max_pixels} at most")


def allow_pixels(max_pixels: int | None) -> None:
    """Let Pillow open larger images in this process, never only smaller ones.

    Args:
        max_pixels: As for :class:`FileImages`.
    """
    if max_pixels is not None and Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
