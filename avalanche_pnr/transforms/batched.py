"""Views of every image of a batch, made at once where the images are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.utils.data._utils.collate import default_collate_fn_map
from torchvision.transforms.functional import pil_to_tensor

from avalanche_pnr.reproducibility.deferred import SeededWithBatch

Step = Callable[[Tensor], Tensor]
"""Transform of images (N, 3, H, W), float in 0..1; may write to its input."""


@dataclass(frozen=True)
class BatchedViews:
    """Two random views of each image of a batch, (N, 2, C, H, W).

    A train transform like :class:`~avalanche_pnr.TwoViews`. For an image it returns a
    placeholder; when a loader collates a batch, PyTorch's ``default_collate`` draws the
    views of all its images. So every loader returns views, those of Avalanche's plugins
    included.

    Images of an array, as those of ``ImageData.in_memory(device)``, become views on the
    device where its bytes are; other PIL images become views on the CPU.

    Args:
        first: Steps of the first view, beginning with the crop.
        second: Steps of the second view.
    """

    first: tuple[Step, ...]
    second: tuple[Step, ...]

    def __call__(self, image: Any) -> "DeferredViews":
        """Return a placeholder for an image (PIL, RGB) until its batch is collated."""
        return DeferredViews(image, self, int(torch.randint(2**62, ())))

    def draw(self, pixels: Tensor) -> Tensor:
        """Draw views (N, 2, C, H, W) of images uint8 (N, 3, H, W).

        A step that the two views share is applied to both at once.
        """
        # In memory (N, H, 3, W), as crops read them.
        lines = pixels.transpose(1, 2).contiguous().float().div_(255)
        views = lines.repeat_interleave(2, dim=0).transpose(1, 2)
        pairs = zip_longest(self.first, self.second, fillvalue=_unchanged)
        for shared, steps in groupby(pairs, key=lambda pair: pair[0] == pair[1]):
            first, second = zip(*steps, strict=True)
            if shared:
                views = _changed(views, first)
                continue
            before = views[0::2], views[1::2]
            after = _changed(before[0], first), _changed(before[1], second)
            if not (after[0] is before[0] and after[1] is before[1]):  # not in place
                views = torch.stack(after, dim=1).flatten(0, 1)
        return views.reshape(-1, 2, *views.shape[1:])


def _changed(images: Tensor, steps: Iterable[Step]) -> Tensor:
    for step in steps:
        images = step(images)
    return images


def _unchanged(images: Tensor) -> Tensor:
    return images


@dataclass(frozen=True)
class BatchedView:
    """One view of each image of a batch, (N, C, H, W), without chance.

    An eval transform; like :class:`BatchedViews` it returns placeholders.

    Args:
        steps: Steps of the view.
    """

    steps: tuple[Step, ...]

    def __call__(self, image: Any) -> "DeferredViews":
        """Return a placeholder for an image (PIL, RGB) until its batch is collated."""
        return DeferredViews(image, self, 0)

    def draw(self, pixels: Tensor) -> Tensor:
        """Make the views (N, 3, H, W) of images uint8 (N, 3, H, W)."""
        return _changed(pixels.contiguous().float().div_(255), self.steps)


@dataclass(slots=True)
class DeferredViews(SeededWithBatch):
    """An image whose views are made with its batch.

    Attributes:
        image: PIL image, RGB; perhaps an ``ArrayImage``.
        views: Transform that makes the views.
        seed: Seed drawn for this image. That of the first image seeds the batch, which
            is the same whichever process collates it.
    """

    image: Any
    views: BatchedViews | BatchedView
    seed: int


def draw_views(batch: list[DeferredViews]) -> Tensor:
    """Make the views of a batch, (N, 2, C, H, W) or (N, C, H, W), to collate it.

    Args:
        batch: Images of one size.

    Raises:
        ValueError: If the images differ in size.
    """
    sizes = {each.image.size for each in batch}
    if len(sizes) > 1:
        listed = " and ".join(f"{h}x{w} px" for w, h in sorted(sizes)[:2])
        raise ValueError(
            f"a batch of {listed} images has no batched views: resize training images "
            "to one size with ImageData.in_memory(size=...), or make views of one "
            "image at a time (batched=False)"
        )
    groups = groupby(batch, key=attrgetter("views"))  # replayed images may have others
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(batch[0].seed)
        return _joined([views.draw(_pixels(each)) for views, each in groups])


def _source(image: Any) -> Any:
    return getattr(image, "array", None)


def _pixels(batch: Iterable[DeferredViews]) -> Tensor:
    """Pixels of images, uint8 (N, 3, H, W); those of one array are read at once."""
    parts = []
    for source, images in groupby((each.image for each in batch), key=_source):
        if source is None:
            parts += [pil_to_tensor(image)[None] for image in images]
        else:
            parts.append(source.bytes([image.index for image in images]))
    return _joined(parts)


def _joined(parts: list[Tensor]) -> Tensor:
    """Concatenate tensors; a single one, the usual case, is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


default_collate_fn_map[DeferredViews] = lambda batch, **_: draw_views(batch)
