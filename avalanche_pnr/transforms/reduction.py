"""How much smaller images may be decoded without a view that has to be enlarged."""

import math
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, NamedTuple

from torchvision.transforms import Compose, RandomResizedCrop, Resize

from avalanche_pnr.transforms.batched import BatchedViews
from avalanche_pnr.transforms.random_crops import RATIO, RandomResizedCrops
from avalanche_pnr.transforms.two_views import TwoViews


class SmallestCrop(NamedTuple):
    """The smallest part of an image that becomes a view.

    Attributes:
        view: Length of the view's longer side, pixels.
        square: Area of a square on the part's shorter side, as a part of the image's
            area; no side is longer than the image's.
    """

    view: float
    square: float = math.inf

    def times(self, width: int, height: int) -> float:
        """How many times the view's side the part's shorter side is as long."""
        side = min(width, height, math.sqrt(self.square * width * height))
        return side / self.view


SPARE = 2
"""Pixels left for each of a side that is always reduced: decoders reduce less finely
than PIL does, and its own thumbnails leave as many."""

ALL_PIXELS = (SmallestCrop(math.inf),)
"""Of a transform that is not known: the image must stay as it is."""


@dataclass(frozen=True)
class Reduction:
    """Says how many times smaller an image may be decoded.

    The smallest crop that can be drawn still has as many pixels as the view that is
    made of it: none is enlarged that would not be enlarged otherwise. Images that are
    resized as a whole keep twice as many on each side.

    Args:
        crops: Smallest crops of all transforms.
    """

    crops: tuple[SmallestCrop, ...]

    @classmethod
    def for_transforms(cls, *transforms: Any) -> "Reduction":
        """That which each of some transforms allows.

        Transforms are known that begin with torchvision's ``RandomResizedCrop`` or
        ``Resize``, alone, in a ``Compose`` or in two views, and batched views that
        begin with crops. Any other gets images as they are.
        """
        return cls(sum(map(smallest_crops, transforms), ()))

    def factor(self, width: int, height: int) -> int:
        """How many times shorter the sides may be, a whole number, 1 for not at all.

        Args:
            width: Of the image, pixels.
            height: Of the image, pixels.
        """
        return max(1, int(min(crop.times(width, height) for crop in self.crops)))


@singledispatch
def smallest_crops(_: Any) -> tuple[SmallestCrop, ...]:
    """The smallest parts of an image that a transform makes views of."""
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
