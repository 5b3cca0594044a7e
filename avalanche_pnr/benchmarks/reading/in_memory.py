"""Reading all images of a data set into memory once."""

from multiprocessing.pool import ThreadPool

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from avalanche_pnr.benchmarks.reading.array_images import ArrayImages
from avalanche_pnr.benchmarks.reading.images import Images
from avalanche_pnr.benchmarks.reading.progress import progress


def in_memory(
    images: Images, device: str | torch.device = "cpu", size: int | None = None
) -> ArrayImages:
    """Hold images as an array, uint8, with a copy on a device.

    Args:
        images: RGB images of any source.
        device: Device on which views of whole batches are made.
        size: Length that the shorter side of each image gets, before a centre crop to a
            square; ``None`` if they have one size.

    Raises:
        ValueError: If they do not fit into memory, differ in size or are tensors.
    """
    if not isinstance(images, ArrayImages) or size is not None:
        images = _read(images, size)
    if torch.device(device).type != "cpu":
        _check_fits(images.x.shape, device)
    return images.to(device)


def free_memory(device: str | torch.device) -> int:
    """Return the number of free bytes on a device, or in the machine's memory."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return int(psutil.virtual_memory().available)


def _read(images: Images, size: int | None) -> ArrayImages:
    first, _ = images[0]
    if not isinstance(first, Image.Image):
        raise ValueError(
            "views of whole batches are made of RGB images, and the data set gives "
            f"tensors of shape {tuple(first.shape)}: make views of one image at a time "
            "(views=per_sample)"
        )
    resize = Compose([] if size is None else [Resize(size), CenterCrop(size)])
    width, height = resize(first).size
    shape = len(images), height, width, 3
    _check_fits(shape, "cpu")
    x = np.empty(shape, np.uint8)

    def read(index: int) -> None:
        pixels: NDArray[np.uint8] = np.asarray(resize(images[index][0]))
        if pixels.shape != x.shape[1:]:
            raise ValueError(
                f"image {index} has {pixels.shape[0]}x{pixels.shape[1]} px, image 0 "
                f"{height}x{width}: give a size that all get, in_memory(size=...)"
            )
        x[index] = pixels

    with ThreadPool() as pool:
        done = pool.imap_unordered(read, range(len(images)), chunksize=16)
        for _ in progress(done, "reading images", len(images)):
            pass
    domains = np.asarray(images.domains) if images.domains else None
    return ArrayImages(x, np.asarray(images.targets), domains)


def _check_fits(shape: tuple[int, ...], device: str | torch.device) -> None:
    """Refuse what would not fit.

    Raises:
        ValueError: With the size and what to do.
    """
    images, height, width, channels = shape
    needed, free = images * height * width * channels, free_memory(device)
    if needed > free:
        raise ValueError(
            f"{images} images of {height}x{width} px take {needed / 1e9:.3g} GB, and "
            f"{free / 1e9:.3g} GB are free on {device}: give a smaller size, or leave "
            "them in their files and make views of one image at a time "
            "(views=per_sample)"
        )
