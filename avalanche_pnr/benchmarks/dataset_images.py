"""Images of PyTorch data sets."""

from collections.abc import Sequence
from copy import copy
from typing import Any, Protocol

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from avalanche_pnr.benchmarks.progress import progress

LABELS = ("targets", "labels")
"""Where map-style data sets keep their classes, if they do."""


class MapDataset(Protocol):
    """A map-style data set, such as torchvision's: samples (PIL image, class)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class DatasetImages(Dataset[tuple[Image.Image, int]]):
    """Images of a map-style data set as RGB PIL images, with labels.

    Classes are taken from its ``targets`` or ``labels``; where it has neither, every
    sample is read once.

    Args:
        dataset: Samples (PIL image, class), without transforms.

    Attributes:
        targets: Classes as a list, where Avalanche looks for them.
        domains: Empty.

    Raises:
        ValueError: If a sample is something else.
    """

    def __init__(self, dataset: MapDataset) -> None:
        if len(dataset):
            _check_sample(dataset)
        self.dataset = dataset
        self.targets: list[int] = np.asarray(_labels(dataset)).tolist()
        self.domains: list[int] = []
        self._rows: Sequence[int] = range(len(dataset))

    def subset(self, indices: Sequence[int]) -> "DatasetImages":
        """Some of the images, in the order of their indices."""
        images = copy(self)
        images._rows = [self._rows[index] for index in indices]
        images.targets = [self.targets[index] for index in indices]
        return images

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        image = self.dataset[self._rows[index]][0]
        return image.convert("RGB"), self.targets[index]


def _check_sample(dataset: MapDataset) -> None:
    sample = dataset[0]
    kinds = [type(each) for each in sample] if isinstance(sample, tuple) else []
    if len(kinds) != 2 or not issubclass(kinds[0], Image.Image):
        got = ", ".join(kind.__name__ for kind in kinds) or type(sample).__name__
        raise ValueError(
            f"samples of {type(dataset).__name__} must be (PIL image, class), got "
            f"({got}): leave transforms to the stream"
        )


def _labels(dataset: MapDataset) -> Any:
    for name in LABELS:
        labels = getattr(dataset, name, None)
        if labels is not None:
            return labels
    return [
        dataset[each][1] for each in progress(range(len(dataset)), "reading labels")
    ]
