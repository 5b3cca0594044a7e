"""Steps of a view on a whole batch, with random parameters of each image.

A step changes images (N, 3, H, W) with values in 0..1. Parameters are drawn on the CPU
from PyTorch's global generator, so a seed gives the same views on every device.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sometimes:
    """What happens to each image with a probability.

    Args:
        probability: How often an image is changed.
    """

    probability: float

    def __call__(self, images: Tensor) -> Tensor:
        """Change some of the images, in place."""
        rows = (torch.rand(len(images)) < self.probability).nonzero()[:, 0]
        if len(rows):
            rows = rows.to(images.device)
            images[rows] = self.changed(images[rows])
        return images

    def changed(self, images: Tensor) -> Tensor:
        """The images that are chosen, changed."""
        raise NotImplementedError


@dataclass(frozen=True)
class Jitter(Sometimes):
    """Brightness, contrast, saturation and hue, for each image in an order of its own.

    Args:
        probability: How often an image is changed.
        strength: Greatest change of each of the four, as of torchvision's
            ``ColorJitter``.
    """

    strength: tuple[float, float, float, float]

    def changed(self, images: Tensor) -> Tensor:
        """The images in other colours."""
        *blends, hue = self.strength
        ranges = [(max(0.0, 1 - change), 1 + change) for change in blends]
        factors = torch.stack(
            [
                torch.empty(len(images)).uniform_(*each)
                for each in [*ranges, (-hue, hue)]
            ]
        )
        orders = torch.rand(len(images), 4).argsort(dim=1)
        for now in orders.unbind(dim=1):
            for number, adjust in enumerate(_adjustments()):
                rows = (now == number).nonzero()[:, 0]
                if len(rows):
                    by = factors[number, rows].to(images.device)
                    rows = rows.to(images.device)
                    images[rows] = adjust(images[rows], by)
        return images


def _adjustments() -> Sequence[Callable[[Tensor, Tensor], Tensor]]:
    """Torchvision's four, of images (N, 3, H, W) by factors (N,)."""
    enhance = kornia().enhance
    return (
        enhance.adjust_brightness_accumulative,
        enhance.adjust_contrast_with_mean_subtraction,
        enhance.adjust_saturation_with_gray_subtraction,
        lambda images, turns: enhance.adjust_hue(images, 2 * math.pi * turns),
    )


@dataclass(frozen=True)
class Greyscale(Sometimes):
    """Luma in all three channels."""

    def changed(self, images: Tensor) -> Tensor:
        """The images in grey."""
        grey: Tensor = kornia().color.rgb_to_grayscale(images)
        return grey.expand_as(images)


@dataclass(frozen=True)
class Blur(Sometimes):
    """Gaussian blur with a standard deviation of each image.

    Args:
        probability: How often an image is changed.
        sigma: Least and greatest standard deviation, pixels.
    """

    sigma: tuple[float, float]

    def changed(self, images: Tensor) -> Tensor:
        """The images blurred."""
        sigma = torch.empty(len(images), 1).uniform_(*self.sigma).expand(-1, 2)
        width = 2 * math.ceil(3 * self.sigma[1]) + 1
        blurred: Tensor = kornia().filters.gaussian_blur2d(
            images, (width, width), sigma.to(images.device), border_type="replicate"
        )
        return blurred


@dataclass(frozen=True)
class Solarize(Sometimes):
    """Values from 128 of 255 on inverted; they are not whole numbers here."""

    def changed(self, images: Tensor) -> Tensor:
        """The images solarised."""
        solarized: Tensor = kornia().enhance.solarize(images, 127.5 / 255)
        return solarized


@dataclass(frozen=True)
class Normalize:
    """Mean and standard deviation of each channel taken out.

    Args:
        mean: Mean of each channel.
        std: Standard deviation of each channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """(image - mean) / std."""
        mean, std = (
            torch.tensor(values, device=images.device)[:, None, None]
            for values in (self.mean, self.std)
        )
        return (images - mean) / std


def kornia() -> Any:
    """The library of operations on batches of images.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import kornia
    except ImportError as error:
        raise ImportError(
            "views of whole batches need kornia: install it (the extra batched), "
            "or make views of one image at a time (views=per_sample)"
        ) from error
    return kornia
