"""The protocol that every source of images follows."""

from collections.abc import Sequence
from typing import Protocol, Self

from PIL import Image
from torch import Tensor

Picture = Image.Image | Tensor
"""A PIL image (RGB), or a tensor (C, H, W) of any number of channels."""


class Images(Protocol):
    """Images with their classes, from which streams are cut.

    Attributes:
        targets: Class of each image, -1 where it is not known.
        domains: Domain of each image, or an empty list.
    """

    targets: list[int]
    domains: list[int]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Picture, int]: ...

    def subset(self, indices: Sequence[int]) -> Self:
        """Some of the images, in the order of their indices."""
        ...
