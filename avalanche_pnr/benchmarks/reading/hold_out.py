"""A test split for images that come without one."""

import numpy as np

from avalanche_pnr.benchmarks.reading.file_images import FileImages


def hold_out(
    source: str, images: FileImages, test_fraction: float, seed: int
) -> tuple[FileImages, FileImages]:
    """Split off test images: the same fraction of each class in each domain.

    At least one image of each class is held out and one is left; a single image of a
    class (in a domain) is left for training.

    Args:
        source: Origin of the images, for error messages.
        images: All images.
        test_fraction: Fraction that is held out, above 0 and below 1.
        seed: Seed of the split.

    Raises:
        ValueError: If the fraction is out of range, or no class has two images.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(
            f"{source}: test_fraction={test_fraction} cannot be held out of "
            f"{len(images)} images: choose a number between 0 and 1, or add a folder "
            "of test images"
        )
    cells = np.asarray(images.targets)
    if images.domains:
        cells = cells + (cells.max() + 1) * np.asarray(images.domains)
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    held = np.clip(np.rint(sizes * test_fraction), 1, sizes - 1)
    if not held.any():
        raise ValueError(
            f"{source}: no class has two images, so none can be held out for testing: "
            "add images, or a folder of test images, or train without labels "
            "(load_unlabelled, data=unlabelled)"
        )
    order = np.random.default_rng(seed).permutation(len(images))
    order = order[np.argsort(cell[order], kind="stable")]
    rank = np.arange(len(images)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    tested = rank < held[cell[order]]
    return (
        images.subset(np.sort(order[~tested]).tolist()),
        images.subset(np.sort(order[tested]).tolist()),
    )
