"""Images of PyTorch data sets, whatever form their samples have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from avalanche_pnr.benchmarks.reading.rgb import to_rgb
from avalanche_pnr.benchmarks.reading.samples import check_map_style

MODES = (1, 2, 3, 4)
"""Numbers of channels of images: grey and RGB, each with transparency or without."""


class Pictures:
    """Images of a map-style data set as RGB PIL images; labels are not looked at.

    Args:
        dataset: Its samples are images, tuples that begin with one, or dictionaries
            that hold one. An image is of PIL, an array (H, W) or (H, W, C), or a
            tensor (C, H, W), of 1 to 4 channels, uint8 or in 0..1.
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
            if (picture := _picture(each)) is not None:
                return to_rgb(picture)
        found = ", ".join(map(_described, _parts(sample))) or type(sample).__name__
        raise ValueError(
            f"sample {index} of {self._source} holds no image but {found}: an image is "
            "one of PIL, an array (H, W) or (H, W, C), or a tensor (C, H, W), of 1 to "
            "4 channels, uint8 or in 0..1; leave other transforms out of the data set"
        )


def _parts(sample: Any) -> list[Any]:
    """List the parts of a sample that may be its image."""
    if isinstance(sample, Mapping):
        return list(sample.values())
    return [sample[0] if isinstance(sample, tuple | list) and sample else sample]


def _picture(image: Any) -> Image.Image | None:
    """The PIL image of an array or tensor, if it is an image."""
    if isinstance(image, Tensor):
        # PIL knows neither other floats nor tensors of a GPU.
        image = image.float() if image.is_floating_point() else image
        image = image.movedim(0, -1) if image.dim() == 3 else image
        image = image.detach().cpu().numpy()
    if not isinstance(image, np.ndarray) or image.ndim not in (2, 3):
        return None
    pixels = image[..., None] if image.ndim == 2 else image
    if pixels.shape[2] not in MODES or not pixels.size:
        return None
    if pixels.dtype.kind == "f" and 0 <= pixels.min() <= pixels.max() <= 1:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    if pixels.dtype != np.uint8:
        return None
    shape = pixels.shape[:2] if pixels.shape[2] == 1 else pixels.shape
    return Image.fromarray(np.ascontiguousarray(pixels.reshape(shape)))


def _described(value: Any) -> str:
    """Name the kind of a value, with its shape if it has one."""
    kind = getattr(value, "dtype", type(value).__name__)
    shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
    return f"{str(kind).removeprefix('torch.')}{shape}"
