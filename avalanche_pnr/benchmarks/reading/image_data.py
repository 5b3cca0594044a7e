"""A data set of images, checked once, with its classes and domains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from avalanche_pnr.benchmarks.reading.array_images import ArrayImages
from avalanche_pnr.benchmarks.reading.dataset_images import DatasetImages
from avalanche_pnr.benchmarks.reading.duplicates import count_duplicates, equal_pixels
from avalanche_pnr.benchmarks.reading.images import Images
from avalanche_pnr.benchmarks.reading.in_memory import in_memory
from avalanche_pnr.benchmarks.reading.label_checks import (
    check_integers,
    check_same_numbers,
    numbered_names,
)
from avalanche_pnr.benchmarks.reading.samples import MapDataset
from avalanche_pnr.benchmarks.reading.tested_classes import (
    of_known_classes,
    warn_of_untested,
)

__all__ = ["ImageData", "Images"]


@dataclass(frozen=True)
class ImageData:
    """A data set with its train and test split.

    Attributes:
        train: Training images.
        test: Test images, labelled.
        class_names: Name of each class.
        domain_names: Name of each domain, in the order of a domain-incremental
            stream; empty if the data has no domains.
        probe: Labelled images that probes are fitted to, where they are not ``train``.
        skipped: Damaged files that were left out.
        duplicates: Number of test images that are also training or probe images;
            ``None`` where they were not looked for.
    """

    train: Images
    test: Images
    class_names: tuple[str, ...]
    domain_names: tuple[str, ...] = ()
    probe: Images | None = None
    skipped: tuple[str, ...] = ()
    duplicates: int | None = None

    @property
    def probe_images(self) -> Images:
        """Labelled images that probes are fitted to."""
        return self.train if self.probe is None else self.probe

    @classmethod
    def from_arrays(
        cls,
        source: str,
        train: Sequence[Any],
        test: Sequence[Any],
        class_names: Any = None,
        domain_names: Any = None,
        *,
        check_duplicates: bool = True,
    ) -> "ImageData":
        """Check arrays and put them together.

        Args:
            source: Origin of the arrays, for error messages.
            train: Images uint8 (N, H, W, 3) and classes (N,); then, if there are
                domains, domains (N,).
            test: The same for testing.
            class_names: Name of each class, by default its number.
            domain_names: Name of each domain, by default its number.
            check_duplicates: Whether to look for test images that are also in the
                training data, with a warning if there are any.

        Raises:
            ValueError: If a shape or dtype is wrong, or as ``from_images`` does.
        """
        for split, (x, *_) in (("train", train), ("test", test)):
            if x.ndim != 4 or x.shape[3] != 3 or x.dtype != np.uint8:
                raise ValueError(
                    f"{source} ({split}): images must be uint8 of shape (N, H, W, 3), "
                    f"got {x.dtype} of shape {x.shape}: convert to 0..255 and RGB, "
                    "channels last; tensors of other channels are for from_datasets"
                )
        images = ArrayImages(*train), ArrayImages(*test)
        data = cls.from_images(source, *images, class_names, domain_names)
        return data.compared(source) if check_duplicates else data

    @classmethod
    def from_datasets(
        cls,
        source: str,
        train: MapDataset,
        test: MapDataset,
        class_names: Any = None,
        *,
        probe: MapDataset | None = None,
        image: str | None = None,
        label: str | None = None,
        check_duplicates: bool = False,
    ) -> "ImageData":
        """Check map-style data sets, of PyTorch or Hugging Face, and put them together.

        Their samples, without transforms, are (image, class) or dictionaries. Images
        are PIL images, which become RGB, or tensors (C, H, W) of any number of
        channels, for transforms of tensors. Classes come from ``targets`` or
        ``labels`` or the column of labels; without these, every sample is read once.

        Args:
            source: Origin of the data sets, for error messages.
            train: Training images.
            test: Test images.
            class_names: Name of each class, by default that of the data set's features
                or its number.
            image: Key of the image in samples that are dictionaries, by default the
                only one whose value is an image.
            label: Key of the class, by default ``"label"`` or the only one whose value
                is a whole number.
            probe: As for ``from_images``.
            check_duplicates: As for ``from_arrays``; every image is read.

        Raises:
            ValueError: If samples are something else, or as ``from_images`` does.
        """
        images = DatasetImages(train, image, label)
        judging = None if probe is None else DatasetImages(probe, image, label)
        names = (judging or images).class_names
        data = cls.from_images(
            source,
            images,
            DatasetImages(test, image, label),
            names if class_names is None else class_names,
            probe=judging,
        )
        return data.compared(source) if check_duplicates else data

    @classmethod
    def from_images(
        cls,
        source: str,
        train: Images,
        test: Images,
        class_names: Any = None,
        domain_names: Any = None,
        *,
        probe: Images | None = None,
    ) -> "ImageData":
        """Check the labels of images, which are not read, and put them together.

        Test images of classes that no labelled image has are left out, and classes
        without test images stay, each with a warning.

        Args:
            source: Origin of the images, for error messages.
            train: Training images.
            test: Test images.
            class_names: Name of each class, by default its number.
            domain_names: Name of each domain, by default its number.
            probe: Labelled images that probes are fitted to, where ``train`` has images
                without a label (-1).

        Raises:
            ValueError: If there is no image, classes (or domains, if there are any) are
                not one for each image, 0..C-1, or domains differ between the splits.
        """
        splits = {"train": train, "test": test}
        labelled = train
        if probe is not None:
            splits["probe"] = labelled = probe
        for split, images in splits.items():
            _check_split(f"{source} ({split})", images)
        if min(min(labelled.targets), min(test.targets)) < 0:
            raise ValueError(
                f"{source}: images without a label (-1) cannot be judged or cut into "
                "classes: give every image its class, 0..C-1, or name other images, "
                "with labels, as probe"
            )
        judged = of_known_classes(source, {*labelled.targets}, test)
        if judged is not test and class_names is not None:
            class_names = class_names[: max(labelled.targets) + 1]
        classes = numbered_names(source, "classes", class_names, labelled.targets)
        if strangers := set(train.targets) - {-1, *labelled.targets}:
            raise ValueError(
                f"{source}: training classes {sorted(strangers)[:20]} are not among "
                "those of the labelled images: give them the label -1"
            )
        warn_of_untested(source, classes, labelled.targets, judged.targets)
        domains = numbered_names(source, "domains", domain_names, train.domains)
        # Unlabelled images without domains may be judged on images that have some.
        if probe is None or train.domains:
            check_same_numbers(
                source, "domains", domains, train.domains, judged.domains
            )
        return cls(train, judged, classes, domains, probe)

    def in_memory(
        self, device: str | torch.device = "cpu", size: int | None = None
    ) -> "ImageData":
        """Copy the data set with its training images in memory, for batched views.

        Args:
            device: Device on which the views are made, that of the strategy.
            size: Length that the shorter side of each image gets, before a centre crop
                to a square; ``None`` if they have one size.

        Raises:
            ValueError: If they do not fit into memory, or differ in size.
        """
        return replace(self, train=in_memory(self.train, device, size))

    def compared(self, source: str) -> "ImageData":
        """Copy the data set with its number of duplicates; every image is read.

        Args:
            source: Origin of the images, for the warning.
        """
        pairs = equal_pixels(self.train, self.test, self.probe)
        return replace(self, duplicates=count_duplicates(source, pairs))


def _check_split(label: str, images: Images) -> None:
    if len(images) == 0:
        raise ValueError(f"{label}: there is no image: both splits need some")
    check_integers(f"{label}: labels", images.targets, len(images))
    if images.domains:
        check_integers(f"{label}: domains", images.domains, len(images))
