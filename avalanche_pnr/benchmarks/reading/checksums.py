"""Checksums of data sets, which tell whether two runs saw the same images."""

import hashlib
import os
from typing import Any

import numpy as np
from torch import Tensor

from avalanche_pnr.benchmarks.reading.dataset_images import DatasetImages
from avalanche_pnr.benchmarks.reading.image_data import ImageData


def data_checksums(data: ImageData) -> dict[str, str]:
    """Compute a checksum of each split, 16 hexadecimal digits.

    It covers the pixels of images in memory, the names of image files below their
    common folder, the offsets and sizes of images in shards, or the sizes and last
    bytes of those in a Hugging Face data set; in each case also the labels and domains.
    No image is decoded for it.

    Args:
        data: The data set.
    """
    splits = {"train": data.train, "test": data.test, "probe": data.probe}
    return {name: _checksum(each) for name, each in splits.items() if each is not None}


def _checksum(images: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)
    inner = getattr(images, "dataset", images)
    pixels = getattr(images, "x", getattr(inner, "data", None))
    if isinstance(pixels, np.ndarray | Tensor):
        pixels = np.asarray(pixels)
        digest.update(repr((pixels.shape, pixels.dtype.str)).encode())
        digest.update(np.ascontiguousarray(pixels).data)
    if paths := getattr(images, "paths", []):
        # What the first and the last in order have in common, all have.
        folder = os.path.commonpath([min(paths), max(paths)])
        names = [path[len(folder) :] for path in paths]
        digest.update("\n".join(names).encode())
    if isinstance(places := getattr(images, "places", None), np.ndarray):
        digest.update(np.ascontiguousarray(places).data)
    if isinstance(images, DatasetImages):
        for each in images.content():
            digest.update(each)
    digest.update(np.asarray(images.targets, dtype=np.int64).data)
    digest.update(np.asarray(images.domains, dtype=np.int64).data)
    return digest.hexdigest()
