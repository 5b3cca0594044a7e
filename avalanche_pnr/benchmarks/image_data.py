"""Images in memory, checked once, with their classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset


class ArrayImages(Dataset[tuple[Image.Image, int]]):
    """Images of a uint8 array as PIL images, with labels.

    Args:
        x: Images, uint8 of shape (N, H, W, 3).
        y: Classes, shape (N,).

    Attributes:
        targets: Classes as a list, where Avalanche looks for them.
    """

    def __init__(self, x: NDArray[np.uint8], y: NDArray[np.integer[Any]]) -> None:
        self.x = x
        self.targets: list[int] = y.tolist()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(self.x[index]), self.targets[index]


@dataclass(frozen=True)
class ImageData:
    """A labelled data set with its train and test split.

    Attributes:
        train: Training images.
        test: Test images.
        class_names: Name of each class.
    """

    train: ArrayImages
    test: ArrayImages
    class_names: tuple[str, ...]

    @classmethod
    def from_arrays(
        cls,
        source: str,
        train: tuple[Any, Any],
        test: tuple[Any, Any],
        class_names: Any = None,
    ) -> "ImageData":
        """Check arrays and put them together.

        Args:
            source: Where the arrays come from, for error messages.
            train: Images uint8 (N, H, W, 3) and classes (N,).
            test: The same for testing.
            class_names: Name of each class, by default its number.

        Raises:
            ValueError: If a shape or dtype is wrong, the classes are not 0..C-1, or
                training and test classes differ.
        """
        for split, (x, y) in (("train", train), ("test", test)):
            _check_images(f"{source} ({split})", x)
            _check_labels(f"{source} ({split})", y, len(x))
        classes = _check_classes(source, train[1], test[1])
        if class_names is None:
            class_names = range(classes)
        class_names = np.atleast_1d(class_names)
        if len(class_names) != classes:
            raise ValueError(
                f"{source}: {len(class_names)} class names for {classes} classes"
            )
        names = tuple(str(name) for name in class_names)
        return cls(ArrayImages(*train), ArrayImages(*test), names)


def _check_images(source: str, x: Any) -> None:
    if len(x) == 0:
        raise ValueError(
            f"{source}: there is no image; both training (split 0) and test images "
            "(split 1) are needed"
        )
    if x.ndim != 4 or x.shape[3] != 3 or x.dtype != np.uint8:
        raise ValueError(
            f"{source}: images must be uint8 of shape (N, H, W, 3), got "
            f"{x.dtype} of shape {x.shape}: convert to 0..255 and RGB, channels last"
        )


def _check_labels(source: str, y: Any, images: int) -> None:
    if y.shape != (images,) or y.dtype.kind not in "iu":
        raise ValueError(
            f"{source}: labels must be integers of shape ({images},), one for each "
            f"image, got {y.dtype} of shape {y.shape}"
        )


def _check_classes(source: str, train: Any, test: Any) -> int:
    if min(train.min(), test.min()) < 0:
        raise ValueError(
            f"{source}: images without a label (-1) cannot be judged or cut into "
            "classes: give every image its class, 0..C-1"
        )
    seen = np.unique(train)
    if not np.array_equal(seen, np.arange(len(seen))):
        raise ValueError(
            f"{source}: training labels must be 0..C-1 without gaps, got "
            f"{seen[:20].tolist()}: renumber them, for example with "
            "np.unique(y, return_inverse=True)"
        )
    if not np.array_equal(seen, np.unique(test)):
        different = np.setxor1d(seen, np.unique(test)).tolist()
        raise ValueError(
            f"{source}: classes {different} are not in both training and test data"
        )
    return len(seen)
