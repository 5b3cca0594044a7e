"""Steps of a view on a whole batch, with random parameters for each image.

A step changes images (N, 3, H, W) with values in 0..1. Parameters are drawn on the CPU
from PyTorch's global generator, so a seed gives the same views on every device.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from avalanche_pnr.transforms.colours import HUE, adjust_colours, luma
from avalanche_pnr.transforms.pieces import pieces


@dataclass(frozen=True)
class PerImageApply:
    """A step that is applied to each image with a given probability.

    Args:
        probability: Probability that an image is changed.
    """

    probability: float

    @torch.inference_mode()  # less to do for each of many small operations
    def __call__(self, images: Tensor) -> Tensor:
        """Change some of the images, in place."""
        chosen = (torch.rand(len(images)) < self.probability).nonzero()[:, 0]
        chosen, *parameters = self.plan(chosen)
        for part in pieces(images, len(chosen)):
            rows = chosen[part].to(images.device)
            own = [each[part] for each in parameters]
            images.index_copy_(0, rows, self.changed(images.index_select(0, rows), own))
        return images

    def plan(self, chosen: Tensor) -> tuple[Tensor, ...]:
        """Draw parameters, on the CPU; none by default.

        Args:
            chosen: Rows of the images to change, shape (N,).

        Returns:
            The rows, in the order in which to change them, and the parameters of each,
            shapes (N, ...).
        """
        return (chosen,)

    def changed(self, images: Tensor, parameters: list[Tensor]) -> Tensor:
        """Change images; may write to them.

        Args:
            images: Images, shape (N, 3, H, W).
            parameters: Parameters of each, shapes (N, ...), on the CPU.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Jitter(PerImageApply):
    """Brightness, contrast, saturation and hue, for each image in an order of its own.

    Args:
        probability: Probability that an image is changed.
        strength: Greatest change of each of the four, as in torchvision's
            ``ColorJitter``.
    """

    strength: tuple[float, float, float, float]

    def plan(self, chosen: Tensor) -> tuple[Tensor, ...]:
        """Draw factors and orders; images whose hues turn together are neighbours."""
        factors, orders = self.draw(len(chosen))
        before_hue = (orders != HUE).int().cumprod(dim=1).sum(dim=1)
        by_place = before_hue.argsort(stable=True)
        return chosen[by_place], factors.T[by_place], orders[by_place]

    def changed(self, images: Tensor, parameters: list[Tensor]) -> Tensor:
        """Change the colours of the images."""
        factors, orders = parameters
        adjust_colours(images, factors.T, orders)
        return images

    def draw(self, images: int) -> tuple[Tensor, Tensor]:
        """Draw factors and orders of the changes of some images, on the CPU.

        Args:
            images: Number of images, N.

        Returns:
            Factors (4, N) of brightness, contrast, saturation and hue; and the order in
            which those whose strength is not 0 are applied, as numbers of the four,
            shape (N, 4) or narrower.
        """
        *blends, hue = self.strength
        ranges = [*((max(0.0, 1 - change), 1 + change) for change in blends)]
        factors = torch.stack(
            [torch.empty(images).uniform_(*each) for each in [*ranges, (-hue, hue)]]
        )
        numbers = torch.tensor(self.strength).nonzero()[:, 0]
        return factors, numbers[torch.rand(images, len(numbers)).argsort(dim=1)]


@dataclass(frozen=True)
class Greyscale(PerImageApply):
    """Replaces all three channels by luma."""

    def changed(self, images: Tensor, parameters: list[Tensor]) -> Tensor:
        """Make the images grey."""
        return luma(images).expand_as(images)


@dataclass(frozen=True)
class Blur(PerImageApply):
    """Gaussian blur with a standard deviation drawn for each image.

    Args:
        probability: Probability that an image is changed.
        sigma: Least and greatest standard deviation in pixels.
    """

    sigma: tuple[float, float]

    def plan(self, chosen: Tensor) -> tuple[Tensor, ...]:
        """Draw standard deviations."""
        return chosen, torch.empty(len(chosen)).uniform_(*self.sigma)

    def changed(self, images: Tensor, parameters: list[Tensor]) -> Tensor:
        """Blur the images."""
        (sigma,) = parameters
        radius = math.ceil(3 * self.sigma[1])
        return gaussian_blur(images, sigma.to(images.device), radius)


def gaussian_blur(images: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Blur each image by a Gaussian of its own; pixels at the edges are repeated.

    Args:
        images: Images, shape (N, C, H, W).
        sigma: Standard deviations in pixels, shape (N,).
        radius: Radius of the kernel in pixels.
    """
    n, channels, height, width = images.shape
    distance = torch.arange(-radius, radius + 1, device=images.device)
    kernels = (-0.5 * (distance / sigma[:, None]) ** 2).softmax(dim=1)
    kernels = kernels.repeat_interleave(channels, dim=0)[:, None]
    padded = pad(images, (radius,) * 4, mode="replicate").flatten(0, 1)[None]
    blurred = conv2d(padded, kernels[:, :, None], groups=len(kernels))
    blurred = conv2d(blurred, kernels[..., None], groups=len(kernels))
    return blurred.reshape(n, channels, height, width)


@dataclass(frozen=True)
class Solarize(PerImageApply):
    """Inverts values from 128 of 255 up; here they are not whole numbers."""

    def changed(self, images: Tensor, parameters: list[Tensor]) -> Tensor:
        """Solarise the images."""
        return torch.minimum(images, 1 - images)  # 127.5 / 255 is where they are equal


@dataclass(frozen=True)
class Normalize:
    """Normalises each channel by a mean and standard deviation.

    Args:
        mean: Mean of each channel.
        std: Standard deviation of each channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Compute (image - mean) / std in place."""
        mean, std = (
            torch.tensor(values, device=images.device)[:, None, None]
            for values in (self.mean, self.std)
        )
        for part in pieces(images, len(images)):
            images[part].sub_(mean).div_(std)
        return images
