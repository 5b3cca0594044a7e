"""Two views of every image of a batch, drawn at once where the images are."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.utils.data._utils.collate import default_collate_fn_map
from torchvision.transforms.functional import pil_to_tensor

Step = Callable[[Tensor], Tensor]
"""From images (N, 3, H, W), float in 0..1, to images; may write to its input."""


@dataclass(frozen=True)
class BatchedViews:
    """Two random views of each image of a batch, (N, 2, C, H, W).

    A train transform like :class:`~avalanche_pnr.TwoViews`. What it returns for an
    image waits until a loader puts the batch together: PyTorch's ``default_collate``
    then draws the views of all its images. So every loader gives views, those of
    Avalanche's plugins included.

    Images that have ``pixels``, as those of ``ImageData.in_memory(device)`` do, become
    views on the device where these are; PIL images become views on the CPU.

    Args:
        first: Steps from crops on to the first view.
        second: Steps to the second view.
    """

    first: tuple[Step, ...]
    second: tuple[Step, ...]

    def __call__(self, image: Any) -> "WaitingImage":
        """Let an image (PIL, RGB) wait for its batch."""
        pixels = getattr(image, "pixels", None)
        pixels = pil_to_tensor(image) if pixels is None else pixels
        return WaitingImage(pixels, self, int(torch.randint(2**62, ())))

    def draw(self, pixels: Tensor) -> Tensor:
        """Views (N, 2, C, H, W) of images uint8 (N, 3, H, W)."""
        return torch.stack(
            [_view(pixels / 255, steps) for steps in (self.first, self.second)], dim=1
        )


def _view(images: Tensor, steps: tuple[Step, ...]) -> Tensor:
    for step in steps:
        images = step(images)
    return images


@dataclass(slots=True)
class WaitingImage:
    """An image whose views are drawn with its batch.

    Attributes:
        pixels: uint8, shape (3, H, W).
        views: What draws them.
        seed: Drawn for this image. That of the first image seeds the batch: it is the
            same in whatever process it is put together.
    """

    pixels: Tensor
    views: BatchedViews
    seed: int


def draw_views(batch: list[WaitingImage]) -> Tensor:
    """Views of a batch, (N, 2, C, H, W): what ``default_collate`` makes of it.

    Args:
        batch: Images of one size.

    Raises:
        ValueError: If the images differ in size.
    """
    sizes = {tuple(image.pixels.shape[-2:]) for image in batch}
    if len(sizes) > 1:
        listed = " and ".join(f"{h}x{w} px" for h, w in sorted(sizes)[:2])
        raise ValueError(
            f"a batch of {listed} images has no batched views: resize them to one size "
            "with ImageData.in_memory(size=...), or make views of one image at a time"
        )
    groups = groupby(batch, key=attrgetter("views"))  # replayed images may have others
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(batch[0].seed)
        return torch.cat(
            [
                views.draw(torch.stack([i.pixels for i in each]))
                for views, each in groups
            ]
        )


default_collate_fn_map[WaitingImage] = lambda batch, **_: draw_views(batch)
