"""Images of PyTorch data sets, whatever form their samples have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from avalanche_pnr.benchmarks.reading.rgb import to_rgb
from avalanche_pnr.benchmarks.reading.samples import check_map_style


class Pictures:
    """Images of a map-style data set as RGB PIL images; labels are not looked at.

    Args:
        dataset: Its samples are images, tuples that begin with one, or dictionaries
            that hold one. An image is of PIL, an array uint8 (H, W, 3), or a tensor
            (3, H, W), uint8 or in 0..1.
        source: What the data set is called in an error message.

    Raises:
        ValueError: If it is no map-style data set; on access, if a sample is none of
            these.
    """

    def __init__(self, dataset: Any, source: str) -> None:
        check_map_style(dataset)
        self._dataset = dataset
        self._source = source

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Image.Image:
        sample = self._dataset[index]
        for each in _parts(sample):
            if isinstance(each, Image.Image):
                return to_rgb(each)
            pixels = _pixels(each)
            if pixels is not None:
                return Image.fromarray(pixels)
        raise ValueError(
            f"sample {index} of {self._source} is {type(sample).__name__} and begins "
            "with no image: it must be one of PIL, uint8 (H, W, 3), or a tensor "
            "(3, H, W) in 0..1; leave other transforms out of the data set"
        )


def _parts(sample: Any) -> list[Any]:
    """List the parts of a sample that may be its image."""
    if isinstance(sample, Mapping):
        return list(sample.values())
    return [sample[0] if isinstance(sample, tuple | list) and sample else sample]


def _pixels(image: Any) -> "np.ndarray[Any, np.dtype[np.uint8]] | None":
    """Return the pixels (H, W, 3) of an array or tensor, if it is an image."""
    if isinstance(image, Tensor) and image.dim() == 3 and len(image) == 3:
        in_range = image.min() >= 0 and image.max() <= 1
        if image.is_floating_point() and in_range:
            image = (image * 255).round().byte()
        image = image.movedim(0, -1).numpy()
    is_image = isinstance(image, np.ndarray) and image.ndim == 3
    if is_image and image.dtype == np.uint8 and image.shape[2] == 3:
        return np.ascontiguousarray(image)
    return None
