"""One conversion to RGB for every way in: files, shards, arrays, data sets."""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

BACKGROUND = "white"
"""Colour that shows through transparent pixels."""
BITS = (8, 12, 16)
"""Depths that grey values of more than 8 bits may have."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image to RGB, as a viewer shows it.

    * It is turned as its EXIF orientation says.
    * Transparent pixels are laid over white.
    * Of several frames the present one counts: the first, when it has been opened.
    * Grey values of more than 8 bits become 8: of 16, 12 or 8 bits, the fewest that
      hold the largest value of the image, the upper 8 are taken. Floating-point values
      count as 0..1 where they are, otherwise likewise. Values below 0 or above 65535
      are stretched, the least becoming black and the greatest white.

    Args:
        image: An image of any mode.

    Raises:
        ValueError: If grey values are not finite.
    """
    image.load()  # an image that is damaged is no image whose EXIF is
    image = _upright(image)
    if image.mode.startswith(("I", "F")):  # which Pillow would clip to 0..255
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, BACKGROUND)
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    # An image is shown as it is where its EXIF data is damaged.
    with suppress(Exception):
        if image.getexif().get(0x0112, 1) != 1:
            return ImageOps.exif_transpose(image)
    return image


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values of 8 bits, from those of an image of mode I, F or 16 bits."""
    least, greatest = float(values.min()), float(values.max())
    if not np.isfinite([least, greatest]).all():  # NaN is neither
        raise ValueError("some of its grey values are not finite")
    is_float = values.dtype.kind == "f"
    if is_float and least >= 0 and greatest <= 1:
        grey = np.rint(values * 255)
    elif least >= 0 and greatest < 2 ** BITS[-1]:
        bits = next(each for each in BITS if greatest < 2**each)
        grey = values // 2 ** (bits - 8)
    else:
        grey = np.rint((values - least) * (255 / (greatest - least or 1)))
    eight_bits: NDArray[np.uint8] = grey.astype(np.uint8)
    return eight_bits
