"""Changes of the colours of a batch, as in torchvision's ``ColorJitter``."""

import torch
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

RAMPS = (3, 2, 4), (1, -1, -1), (-1, 2, 2)
"""Red, green and blue of a hue h in sixths of the wheel, without grey: offset + slope *
abs(h - centre), cut off at 0 and 1; centres, slopes and offsets."""


def adjust_colours(images: Tensor, factors: Tensor, orders: Tensor) -> None:
    """Change the colours of each image in place, in an order of its own.

    Brightness, contrast and saturation are each a * x + b * luma(x) + c. So whichever
    is next for an image, one expression changes the batch; only the hue, which is of
    another form and costs more, is computed for its own images alone.

    Args:
        images: Images, shape (N, 3, H, W), values in 0..1.
        factors: Factors of brightness, contrast, saturation and hue, shape (4, N), on
            the CPU.
        orders: Numbers of the changes to apply, in order, shape (N, M), on the CPU.
    """
    for now in orders.unbind(dim=1):
        turned = (now == HUE).nonzero()[:, 0]
        if len(turned) < len(now):
            _blend(images, factors, now)
        if len(turned):
            rows = turned.to(images.device)
            turns = factors[HUE, turned].to(images.device)
            images.index_copy_(0, rows, turn_hue(images.index_select(0, rows), turns))


def _blend(images: Tensor, factors: Tensor, now: Tensor) -> None:
    """Change brightness, contrast or saturation, whichever is next for each image."""
    factor = factors.gather(0, now[None])[0].where(now != HUE, 1)
    rest = 1 - factor
    factor, grey, mean = (
        each.to(images.device)[:, None, None, None]
        for each in (factor, rest * (now == SATURATION), rest * (now == CONTRAST))
    )
    light = luma(images)
    mean = mean * light.mean(dim=(2, 3), keepdim=True)
    images.mul_(factor).add_(light.mul_(grey).add_(mean)).clamp_(0, 1)


def luma(images: Tensor) -> Tensor:
    """Compute the luma of each pixel, (N, 1, H, W), of images (N, 3, H, W)."""
    red, green, blue = images.unbind(dim=1)
    light: Tensor = (0.299 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)
    return light[:, None]


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of each image by a number of turns of the colour wheel.

    Least value and chroma stay, so the way back from the hue is one expression of
    them for each channel.

    Args:
        images: Images, shape (N, 3, H, W), values in 0..1.
        turns: Turns of each image, shape (N,).
    """
    red, green, blue = images.unbind(dim=1)
    most = torch.maximum(torch.maximum(red, green), blue)
    least = torch.minimum(torch.minimum(red, green), blue)
    chroma = most - least
    sixths = torch.where(
        most == red,
        green - blue,
        torch.where(
            most == green,
            (blue - red).add_(chroma, alpha=2),
            (red - green).add_(chroma, alpha=4),
        ),
    )
    sixths.div_(chroma.clamp_min(1e-6)).add_(6 * turns[:, None, None])
    sixths.sub_((sixths / 6).floor_(), alpha=6)
    centre, slope, offset = images.new_tensor(RAMPS)[..., None, None]
    channels: Tensor = (sixths[:, None] - centre).abs_().mul_(slope).add_(offset)
    channels = channels.clamp_(0, 1).mul_(chroma[:, None])
    return channels.add_(least[:, None])
