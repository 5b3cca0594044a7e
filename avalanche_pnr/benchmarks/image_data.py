"""A data set of images, checked once, with its classes and domains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from avalanche_pnr.benchmarks.array_images import ArrayImages


class Images(Protocol):
    """What the streams are cut from: PIL images (RGB) with their classes.

    Attributes:
        targets: Class of each image.
        domains: Domain of each image, or an empty list.
    """

    targets: list[int]
    domains: list[int]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...


@dataclass(frozen=True)
class ImageData:
    """A labelled data set with its train and test split.

    Attributes:
        train: Training images.
        test: Test images.
        class_names: Name of each class.
        domain_names: Name of each domain, in the order of a domain-incremental
            stream; empty if the data has no domains.
    """

    train: Images
    test: Images
    class_names: tuple[str, ...]
    domain_names: tuple[str, ...] = ()

    @classmethod
    def from_arrays(
        cls,
        source: str,
        train: Sequence[Any],
        test: Sequence[Any],
        class_names: Any = None,
        domain_names: Any = None,
    ) -> "ImageData":
        """Check arrays and put them together.

        Args:
            source: Where the arrays come from, for error messages.
            train: Images uint8 (N, H, W, 3) and classes (N,); then, if there are
                domains, domains (N,).
            test: The same for testing.
            class_names: Name of each class, by default its number.
            domain_names: Name of each domain, by default its number.

        Raises:
            ValueError: If a shape or dtype is wrong, or as ``from_images`` does.
        """
        for split, (x, *_) in (("train", train), ("test", test)):
            if x.ndim != 4 or x.shape[3] != 3 or x.dtype != np.uint8:
                raise ValueError(
                    f"{source} ({split}): images must be uint8 of shape (N, H, W, 3), "
                    f"got {x.dtype} of shape {x.shape}: convert to 0..255 and RGB, "
                    "channels last"
                )
        images = ArrayImages(*train), ArrayImages(*test)
        return cls.from_images(source, *images, class_names, domain_names)

    @classmethod
    def from_images(
        cls,
        source: str,
        train: Images,
        test: Images,
        class_names: Any = None,
        domain_names: Any = None,
    ) -> "ImageData":
        """Check the labels of images, which are not read, and put them together.

        Args:
            source: Where the images come from, for error messages.
            train: Training images.
            test: Test images.
            class_names: Name of each class, by default its number.
            domain_names: Name of each domain, by default its number.

        Raises:
            ValueError: If there is no image, or classes (or domains, if there are any)
                are not one for each image, 0..C-1, and the same in both splits.
        """
        for split, images in (("train", train), ("test", test)):
            if len(images) == 0:
                raise ValueError(
                    f"{source} ({split}): there is no image: both splits need some"
                )
            _check_integers(f"{source} ({split}): labels", images.targets, len(images))
            if images.domains:
                label = f"{source} ({split}): domains"
                _check_integers(label, images.domains, len(images))
        if min(min(train.targets), min(test.targets)) < 0:
            raise ValueError(
                f"{source}: images without a label (-1) cannot be judged or cut into "
                "classes: give every image its class, 0..C-1"
            )
        classes = _names(source, "classes", class_names, train.targets, test.targets)
        domains = _names(source, "domains", domain_names, train.domains, test.domains)
        return cls(train, test, classes, domains)


def _check_integers(label: str, values: list[int], images: int) -> None:
    array = np.asarray(values)
    if array.shape != (images,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"{label} must be integers of shape ({images},), one for each image, got "
            f"{array.dtype} of shape {array.shape}"
        )


def _names(
    source: str, kind: str, names: Any, train: list[int], test: list[int]
) -> tuple[str, ...]:
    """Names of what both splits number from 0 without gaps."""
    seen, tested = sorted(set(train)), sorted(set(test))
    if seen != list(range(len(seen))):
        raise ValueError(
            f"{source}: training {kind} must be numbered 0, 1, 2, ... without gaps, "
            f"got {seen[:20]}: renumber them, for example with "
            "np.unique(y, return_inverse=True)"
        )
    if seen != tested:
        different = sorted(set(seen) ^ set(tested))
        raise ValueError(
            f"{source}: {kind} {different} are not in both training and test data"
        )
    names = np.atleast_1d(seen if names is None else names)
    if len(names) != len(seen):
        raise ValueError(
            f"{source}: {len(names)} names for {len(seen)} {kind}: give each one name"
        )
    return tuple(str(name) for name in names)
