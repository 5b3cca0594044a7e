"""Random resized crops of a batch, one drawn for each image."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from avalanche_pnr.transforms.pieces import pieces

RATIO = (3 / 4, 4 / 3)
"""Least and greatest width / height of a crop, torchvision's default."""

TRIES = 10
"""Number of attempts to draw a crop that fits the image, torchvision's number."""


TABLE = 2**20
"""Largest number of weights in a table of all crops of a line: 32 px fit."""


@dataclass(frozen=True)
class RandomResizedCrops:
    """Crops resized as PIL does, bicubic with antialiasing, some of them mirrored.

    The distribution is that of torchvision's ``RandomResizedCrop`` of PIL images,
    except that PIL rounds to whole numbers.

    kornia's crops have a sharper kernel and no antialiasing: their squared gradients
    are 8 % larger at 32 px, and 86 % larger where photographs of 96 px become views of
    32 px (``python -m experiments.measurements.speed views``).

    Args:
        size: Height and width of a crop in pixels.
        scale: Least and greatest fraction of the image's area that a crop keeps.
        flip: Probability that a crop is mirrored, which costs nothing here and commutes
            with the steps that follow.
    """

    size: int
    scale: tuple[float, float]
    flip: float

    def __call__(self, images: Tensor) -> Tensor:
        """Draw crops (N, C, size, size) of images (N, C, H, W), values in 0..1."""
        height, width = images.shape[-2:]
        boxes = draw_boxes(len(images), height, width, self.scale)
        flipped = torch.rand(len(images)) < self.flip
        on_cpu = images.device.type == "cpu"
        one_by_one = on_cpu and max(height, width) ** 3 * self.size > TABLE
        resize = resize_one_by_one if one_by_one else resize_by_products
        crops = images.new_empty(*images.shape[:2], self.size, self.size)
        with torch.inference_mode():
            for part in pieces(images, len(images)):
                resized = resize(images[part], boxes[:, part], flipped[part], self.size)
                crops[part].copy_(resized).clamp_(0, 1)
        return crops


def resize_one_by_one(
    images: Tensor, boxes: Tensor, flipped: Tensor, size: int
) -> Tensor:
    """Crop by PyTorch's own resizing: the faster way for large images on a CPU.

    Args:
        images: Images, shape (N, C, H, W).
        boxes: Top, left, height and width of each crop in pixels, (4, N), on the CPU.
        flipped: Mask of the crops to mirror, (N,), on the CPU.
        size: Height and width of a resized crop in pixels.

    Returns:
        Resized crops, shape (N, C, size, size), not clamped.
    """
    crops = [
        interpolate(
            image[None, :, top : top + height, left : left + width],
            (size, size),
            mode="bicubic",
            antialias=True,
        )
        for image, (top, left, height, width) in zip(
            images, boxes.long().T.tolist(), strict=True
        )
    ]
    resized = torch.cat(crops)
    return torch.where(flipped[:, None, None, None], resized.flip(-1), resized)


def resize_by_products(
    images: Tensor, boxes: Tensor, flipped: Tensor, size: int
) -> Tensor:
    """Crop by products of matrices, a pair for each image.

    Bicubic interpolation is linear in each direction.

    Args:
        images: Images, shape (N, C, H, W); not copied if in memory as (N, H, C, W).
        boxes: Top, left, height and width of each crop in pixels, (4, N).
        flipped: Mask of the crops to mirror, (N,).
        size: Height and width of a resized crop in pixels.

    Returns:
        Resized crops, shape (N, C, size, size), not clamped.
    """
    n, channels, height, width = images.shape
    top, left, h, w = boxes.to(images.device)
    flipped = flipped.to(images.device)
    rows = _weights(top, h, torch.zeros_like(flipped), height, size)
    columns = _weights(left, w, flipped, width, size)
    lines = rows.mT @ images.transpose(1, 2).reshape(n, height, channels * width)
    crops = lines.reshape(n, size * channels, width) @ columns
    return crops.reshape(n, size, channels, size).transpose(1, 2)


def _weights(
    start: Tensor, length: Tensor, flipped: Tensor, pixels: int, size: int
) -> Tensor:
    """Transposed ``resize_matrices``, (N, L, size); in reverse for mirrored crops."""
    if pixels**3 * size <= TABLE:
        number = ((flipped * pixels) + start) * pixels + length - 1
        return _table(pixels, size, start.device).index_select(0, number.long())
    weights = resize_matrices(start, length, pixels, size).mT
    return torch.where(flipped[:, None, None], weights.flip(2), weights)


@lru_cache(maxsize=8)
def _table(pixels: int, size: int, device: torch.device) -> Tensor:
    """Weights of all crops of a short line, then the same in reverse order.

    Returns:
        Weights, shape (2 L L, L, size), by flip, start and length - 1.
    """
    start = torch.arange(pixels, device=device).repeat_interleave(pixels)
    length = torch.arange(1, pixels + 1, device=device).repeat(pixels)
    weights = resize_matrices(start, length, pixels, size).mT
    return torch.cat([weights, weights.flip(2)])


def draw_boxes(
    images: int, height: int, width: int, scale: tuple[float, float]
) -> Tensor:
    """Draw crops as torchvision's ``RandomResizedCrop.get_params`` does.

    Args:
        images: Number of crops, N.
        height: Height of each image in pixels.
        width: Width of each image in pixels.
        scale: Least and greatest fraction of the area.

    Returns:
        Top, left, height and width of each crop in whole pixels, (4, N).
    """
    area = height * width * torch.empty(images, TRIES).uniform_(*scale)
    ratio = torch.empty(images, TRIES).uniform_(*map(math.log, RATIO)).exp_()
    w = (area * ratio).sqrt_().round_()
    h = (area / ratio).sqrt_().round_()
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = fits.int().argmax(dim=1, keepdim=True)
    w, h = w.gather(1, first)[:, 0], h.gather(1, first)[:, 0]
    top = (torch.rand(images) * (height - h + 1)).floor()
    left = (torch.rand(images) * (width - w + 1)).floor()
    whole_h = float(min(height, round(width / RATIO[0])))
    whole_w = float(min(width, round(height * RATIO[1])))
    middle = torch.tensor(
        [(height - whole_h) // 2, (width - whole_w) // 2, whole_h, whole_w]
    )
    return torch.where(fits.any(dim=1), torch.stack([top, left, h, w]), middle[:, None])


def resize_matrices(start: Tensor, length: Tensor, pixels: int, size: int) -> Tensor:
    """Compute weights that resize a crop of a line of pixels by PIL's bicubic filter.

    Args:
        start: First pixel of the crop of each line, (N,).
        length: Number of its pixels, (N,).
        pixels: Number of pixels in a whole line, L.
        size: Number of pixels to resize to.

    Returns:
        Weights, shape (N, size, L); the rows add up to 1.
    """
    scale = (length / size)[:, None, None]
    centre = torch.arange(size, device=start.device)[:, None] + 0.5
    pixel = torch.arange(pixels, device=start.device) + 0.5 - start[:, None, None]
    weights = _bicubic((pixel - centre * scale) / scale.clamp(min=1))
    inside = (pixel > 0) & (pixel < length[:, None, None])
    weights = torch.where(inside, weights, 0)
    return weights / weights.sum(dim=-1, keepdim=True)


def _bicubic(distance: Tensor) -> Tensor:
    """Keys' cubic convolution kernel with a = -1/2."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))
