"""What every source of images is adapted to."""

from collections.abc import Sequence
from typing import Protocol, Self

from PIL import Image


class Images(Protocol):
    """What the streams are cut from: PIL images (RGB) with their classes.

    Attributes:
        targets: Class of each image, -1 where it is not known.
        domains: Domain of each image, or an empty list.
    """

    targets: list[int]
    domains: list[int]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...

    def subset(self, indices: Sequence[int]) -> Self:
        """Some of the images, in the order of their indices."""
        ...
