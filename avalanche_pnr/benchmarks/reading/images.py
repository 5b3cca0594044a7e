"""The protocol that every source of images follows."""

from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

from PIL import Image
from torch import Tensor

from avalanche_pnr.transforms.reduction import Reduction

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
        """Select images, in the order of their indices."""
        ...


@runtime_checkable
class ReducibleImages(Protocol):
    """Images that may be decoded smaller than they are."""

    def reduced(self, reduction: Reduction) -> Self:
        """Return the same images, decoded as much smaller as that allows."""
        ...


def reduced(images: Any, reduction: Reduction) -> Any:
    """Let images be decoded smaller where they can be, others as they are."""
    return images.reduced(reduction) if isinstance(images, ReducibleImages) else images
