"""Changes of the colours of a batch, as in torchvision's ``ColorJitter``."""

from itertools import groupby

import torch
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

HUES = 0, 2, 4
"""Hues of red, green and blue in sixths of the colour wheel."""


def adjust_colours(images: Tensor, factors: Tensor, orders: Tensor) -> None:
    """Change the colours of each image in place, in an order of its own.

    Brightness, contrast and saturation each mix the image with something else. So
    whichever is next for an image, one expression changes it; only the hue is of
    another form. Neighbours whose hue comes at the same place are changed together.

    Args:
        images: Images, shape (N, 3, H, W), values in 0..1.
        factors: Factors of brightness, contrast, saturation and hue, shape (4, N), on
            the CPU.
        orders: Numbers of the changes to apply, in order, shape (N, M), on the CPU.
    """
    steps = orders.T
    # Of the image, and whether its mean luma or the luma of each pixel is mixed in.
    blends = factors.gather(0, steps), steps == CONTRAST, steps == SATURATION
    weights = torch.stack(blends).to(images)[..., None, None, None]
    turns = factors[HUE].to(images.device)
    is_hue = (orders == HUE).tolist()
    first = 0
    for hues, run in groupby(is_hue):
        part = slice(first, first := first + len([*run]))
        for step, hue in enumerate(hues):
            if hue:
                turn_hue(images[part], turns[part])
            else:
                _blend(images[part], *weights[:, step, part])


def _blend(images: Tensor, factor: Tensor, by_mean: Tensor, by_pixel: Tensor) -> None:
    """Change brightness, contrast or saturation, whichever is next for each image.

    They mix an image with black, its mean luma or the luma of each pixel.
    """
    light = luma(images)
    mean = light.mean(dim=(2, 3), keepdim=True).mul_(by_mean)
    other = light.mul_(by_pixel).add_(mean)
    torch.lerp(other, images, factor, out=images).clamp_(0, 1)


def luma(images: Tensor) -> Tensor:
    """Compute the luma of each pixel, (N, 1, H, W), of images (N, 3, H, W)."""
    red, green, blue = images.unbind(dim=1)
    light: Tensor = (0.299 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)
    return light[:, None]


def turn_hue(images: Tensor, turns: Tensor) -> None:
    """Turn the hue of each image in place by a number of turns of the colour wheel.

    Least and greatest value stay. A channel has the greatest up to one sixth of the
    wheel from its own hue, the least from two sixths on, and falls evenly in between.
    Hues are computed in sixths times the chroma, so that nothing is divided by it and
    grey is no special case.

    Args:
        images: Images, shape (N, 3, H, W), values in 0..1.
        turns: Turns of each image, shape (N,).
    """
    red, green, blue = images.unbind(dim=1)
    most = torch.maximum(red, green).maximum(blue)
    least = torch.minimum(red, green).minimum(blue)
    chroma = most - least
    from_red = (green + blue).sub_(red).sub_(least).add_(chroma)
    hue = from_red.copysign_(green - blue)  # -3..3, red in the middle
    offsets = 6 * turns[:, None] - images.new_tensor(HUES)
    offsets = offsets.add_(3).remainder_(6).sub_(3)[..., None, None]
    hue, chroma, least, most = (x[:, None] for x in (hue, chroma, least, most))
    torch.addcmul(hue, chroma, offsets, out=images)  # -6..6 from each channel's own
    images.abs_().sub_(chroma, alpha=3).abs_()  # 3 less the distance around the wheel
    torch.clamp(images.add_(least - chroma), least, most, out=images)
