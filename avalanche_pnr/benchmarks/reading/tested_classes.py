"""Checks of test images against the classes of the training images."""

import warnings
from collections.abc import Sequence

from avalanche_pnr.benchmarks.reading.images import Images
from avalanche_pnr.benchmarks.reading.text_lists import listed


def of_known_classes(source: str, classes: set[int], test: Images) -> Images:
    """Leave out test images of classes without a training image, with a warning.

    Args:
        source: Origin of the images, for error messages.
        classes: Numbers of the classes of the training images.
        test: Test images.

    Raises:
        ValueError: If no test image is left.
    """
    strange = sorted({*test.targets} - classes)
    if not strange:
        return test
    known = [n for n, target in enumerate(test.targets) if target in classes]
    if not known:
        raise ValueError(
            f"{source}: test images are of classes {strange[:20]}, and no training "
            "image is of one of these: number the classes of both alike"
        )
    warnings.warn(
        f"{source}: {len(test) - len(known)} test images are left out, as no training "
        f"images are of their classes {strange[:20]}",
        stacklevel=4,
    )
    return test.subset(known)


def warn_of_untested(
    source: str, names: Sequence[str], trained: list[int], tested: list[int]
) -> None:
    """Warn of classes that have training images and no test images.

    Args:
        source: Origin of the images, for the warning.
        names: Name of each class.
        trained: Class of each training image.
        tested: Class of each test image.
    """
    if untested := {*trained} - {*tested}:
        warnings.warn(
            f"{source}: the accuracy says nothing of classes without test images: "
            f"{listed([names[each] for each in untested])}",
            stacklevel=4,
        )
