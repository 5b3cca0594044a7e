"""Factors by which images may be decoded smaller without enlarging any view."""

import math
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, NamedTuple

from torchvision.transforms import Compose, RandomResizedCrop, Resize

from avalanche_pnr.transforms.batched import BatchedViews
from avalanche_pnr.transforms.random_crops import RATIO, RandomResizedCrops
from avalanche_pnr.transforms.two_views import TwoViews


class SmallestCrop(NamedTuple):
    """The smallest crop of an image that becomes a view.

    Attributes:
        view: Length of the view's longer side in pixels.
        square: Area of a square on the crop's shorter side, as a fraction of the
            image's area; no side is longer than the image's.
    """

    view: float
    square: float = math.inf

    def times(self, width: int, height: int) -> float:
        """Return the length of the crop's shorter side, in units of the view's side."""
        side = min(width, height, math.sqrt(self.square * width * height))
        return side / self.view


SPARE = 2
"""Pixels left for each of a side that is always reduced: decoders reduce less finely
than PIL does, and its own thumbnails leave as many."""

ALL_PIXELS = (SmallestCrop(math.inf),)
"""Crops of an unknown transform, for which images keep their size."""


@dataclass(frozen=True)
class Reduction:
    """The factor by which an image may be decoded smaller.

    The smallest crop that can be drawn still has as many pixels as the view made of it:
    none is enlarged that would not be enlarged anyway. Images that are resized as a
    whole keep twice as many pixels on each side.

    Args:
        crops: Smallest crops of all transforms.
    """

    crops: tuple[SmallestCrop, ...]

    @classmethod
    def for_transforms(cls, *transforms: Any) -> "Reduction":
        """Find the factor that all given transforms allow.

        Known transforms begin with torchvision's ``RandomResizedCrop`` or
        ``Resize``, alone, in a ``Compose`` or in two views, and batched views that
        begin with crops. Others get images of full size.
        """
        return cls(sum(map(smallest_crops, transforms), ()))

    def factor(self, width: int, height: int) -> int:
        """Return by which whole factor the sides may be shorter; 1 for full size.

        Args:
            width: Width of the image in pixels.
            height: Height of the image in pixels.
        """
        return max(1, int(min(crop.times(width, height) for crop in self.crops)))


@singledispatch
def smallest_crops(_: Any) -> tuple[SmallestCrop, ...]:
    """Return the smallest crops of an image of which a transform makes views."""
    return ALL_PIXELS


@smallest_crops.register
def _(transform: RandomResizedCrop) -> tuple[SmallestCrop, ...]:
    low, high = transform.ratio
    square = transform.scale[0] * min(low, 1 / high)
    return (SmallestCrop(max(transform.size), square),)


@smallest_crops.register
def _(transform: RandomResizedCrops) -> tuple[SmallestCrop, ...]:
    return (SmallestCrop(transform.size, transform.scale[0] * min(RATIO)),)


@smallest_crops.register
def _(transform: Resize) -> tuple[SmallestCrop, ...]:
    size = transform.size
    return (SmallestCrop(SPARE * (size if isinstance(size, int) else max(size))),)


@smallest_crops.register
def _(transform: Compose) -> tuple[SmallestCrop, ...]:
    return sum(map(smallest_crops, transform.transforms[:1]), ()) or ALL_PIXELS


@smallest_crops.register
def _(transform: TwoViews) -> tuple[SmallestCrop, ...]:
    return sum(map(smallest_crops, transform.transforms), ())


@smallest_crops.register
def _(transform: BatchedViews) -> tuple[SmallestCrop, ...]:
    first_steps = (*transform.first[:1], *transform.second[:1])
    return sum(map(smallest_crops, first_steps), ()) or ALL_PIXELS
