"""Raw images, of whatever kind, in the form that a transform takes."""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import Compose
from torchvision.transforms.functional import to_pil_image

from avalanche_pnr.benchmarks.reading.rgb import to_rgb
from avalanche_pnr.reproducibility.random_state import preserve_random_state

Transform = Callable[[Any], Any]


def adapted(transform: Transform, image: object) -> Transform:
    """Give a transform the raw images of a data set in a form that it takes.

    PIL images become RGB, as :func:`to_rgb` makes it. Tensors (C, H, W) of any number
    of channels are handed over as they are to a transform that takes tensors. To any
    other those of 1 or 3 channels, of dtype uint8 or with values in 0..1, become RGB
    PIL images.

    Args:
        transform: Transform of an image.
        image: The first raw image, which the transform is tried with.

    Raises:
        ValueError: If the image is neither.
    """
    if isinstance(image, Tensor) and _takes(transform, image):
        return transform
    if isinstance(image, Image.Image | Tensor):
        as_rgb: Transform = Compose([_as_rgb, transform])
        return as_rgb
    raise ValueError(
        "views need raw images, PIL or tensors (C, H, W), but the data set gives a "
        f"{type(image).__name__}"
    )


def _takes(transform: Transform, image: Tensor) -> bool:
    """Return whether a transform maps a tensor to a tensor."""
    try:
        with preserve_random_state():
            return isinstance(transform(image.clone()), Tensor)
    except (TypeError, AttributeError):  # as of what only PIL images are and have
        return False


def _as_rgb(image: Image.Image | Tensor) -> Image.Image:
    return to_rgb(
        to_pil_image(_as_bytes(image)) if isinstance(image, Tensor) else image
    )


def _as_bytes(image: Tensor) -> Tensor:
    if image.dim() == 3 and len(image) not in (1, 3):
        raise ValueError(
            f"a tensor of {len(image)} channels is not an RGB image, and the transform "
            "takes no tensors: leave out what is for PIL images, such as ToTensor"
        )
    fits = image.dtype == torch.uint8 or 0 <= image.min() <= image.max() <= 1
    if image.dim() != 3 or not fits:
        raise ValueError(
            "views need raw images, PIL or tensors (C, H, W) with values in 0..1, but "
            f"the data set gives {tuple(image.shape)} from {image.min():.3g} to "
            f"{image.max():.3g}: features have no views, and normalising belongs in "
            "the transforms"
        )
    return image if image.dtype == torch.uint8 else (image * 255).round().byte()
