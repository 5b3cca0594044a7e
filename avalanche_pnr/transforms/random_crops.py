"""Random resized crops of a batch, each image with a crop of its own."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

RATIO = (3 / 4, 4 / 3)
"""Least and greatest width / height of a crop, torchvision's default."""

TRIES = 10
"""Crops drawn until one fits the image, torchvision's number."""


@dataclass(frozen=True)
class RandomResizedCrops:
    """Crops resized as PIL does, bicubic with antialiasing, some of them mirrored.

    The distribution is that of torchvision's ``RandomResizedCrop`` of PIL images.
    Bicubic interpolation is linear in each direction: a crop is two products of
    matrices, one pair for each image. PIL rounds to whole numbers between the two.

    kornia's crops have a sharper kernel and no antialiasing: their squared gradients
    are 8 % larger at 32 px, and 86 % larger where photographs of 96 px become views of
    32 px (``python -m experiments.measurements.speed views``).

    Args:
        size: Height and width of a crop, pixels.
        scale: Least and greatest part of the image's area that a crop keeps.
        flip: How often a crop is mirrored; here, since it costs nothing here and
            commutes with what follows.
    """

    size: int
    scale: tuple[float, float]
    flip: float

    def __call__(self, images: Tensor) -> Tensor:
        """Crops (N, C, size, size) of images (N, C, H, W), values in 0..1."""
        height, width = images.shape[-2:]
        boxes = draw_boxes(len(images), height, width, self.scale)
        flipped = torch.rand(len(images)) < self.flip
        top, left, h, w = boxes.to(images.device)
        rows = resize_matrices(top, h, height, self.size)[:, None]
        columns = resize_matrices(left, w, width, self.size)[:, None]
        columns = torch.where(
            flipped.to(images.device)[:, None, None, None], columns.flip(-2), columns
        )
        return (rows @ images @ columns.mT).clamp(0, 1)


def draw_boxes(
    images: int, height: int, width: int, scale: tuple[float, float]
) -> Tensor:
    """Draw crops as torchvision's ``RandomResizedCrop.get_params`` does.

    Args:
        images: Number of crops, N.
        height: Of each image, pixels.
        width: Of each image, pixels.
        scale: Least and greatest part of the area.

    Returns:
        Top, left, height and width of each crop in whole pixels, (4, N).
    """
    area = height * width * torch.empty(images, TRIES).uniform_(*scale)
    log_ratio = torch.empty(images, TRIES).uniform_(*map(math.log, RATIO))
    w = (area * log_ratio.exp()).sqrt().round()
    h = (area / log_ratio.exp()).sqrt().round()
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
    """Weights that resize a part of a line of pixels by PIL's bicubic filter.

    Args:
        start: First pixel of the part of each line, (N,).
        length: Its pixels, (N,).
        pixels: Of a line in all, L.
        size: To resize to.

    Returns:
        Shape (N, size, L); the rows add up to 1.
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
