"""Images of PyTorch and Hugging Face data sets."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset, Subset

from avalanche_pnr.benchmarks.reading.arrow_content import arrow_content
from avalanche_pnr.benchmarks.reading.file_images import TooLargeImageError
from avalanche_pnr.benchmarks.reading.images import Picture
from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.benchmarks.reading.rgb import to_rgb
from avalanche_pnr.benchmarks.reading.samples import (
    Columns,
    MapDataset,
    check_map_style,
    find_columns,
)

LABELS = ("targets", "labels")
"""Attributes in which map-style data sets keep their classes."""


class DatasetImages(Dataset[tuple[Picture, int]]):
    """Images of a map-style data set, with labels.

    Samples are tuples (image, class) or dictionaries, such as those of Hugging Face's
    datasets. PIL images come back as RGB, as :func:`to_rgb` makes it; tensors (C, H, W)
    of any number of channels as they are.

    Classes are taken from the data set's ``targets`` or ``labels``, or from its column
    of labels; where it has none of these, every sample is read once.

    Args:
        dataset: The data set, without transforms.
        image: Key of the image in samples that are dictionaries, by default the one
            whose value is an image.
        label: Key of the class, by default ``label`` or the one whose value is a whole
            number; without any, the label of every image is -1.

    Attributes:
        targets: Classes as a list, where Avalanche looks for them.
        domains: Empty.
        class_names: Names of the classes, where the data set's features have them.

    Raises:
        ValueError: If samples are something else, or only come one after the other.
    """

    def __init__(
        self, dataset: MapDataset, image: str | None = None, label: str | None = None
    ) -> None:
        check_map_style(dataset)
        self.dataset = dataset
        self._columns = Columns(0, 1)
        if len(dataset):
            self._columns = find_columns(dataset, image, label)
        self.targets: list[int] = np.asarray(_labels(dataset, self._columns)).tolist()
        self.domains: list[int] = []
        features = getattr(dataset, "features", None) or {}
        of_label = features.get(self._columns.label) if features else None
        self.class_names: Sequence[str] | None = getattr(of_label, "names", None)

    def content(self) -> Iterator[Any]:
        """Bytes that tell the images of a Hugging Face data set from others."""
        inner: Any = self.dataset
        while isinstance(inner, Subset):
            yield np.asarray(inner.indices)
            inner = inner.dataset
        if hasattr(inner, "_indices") and hasattr(inner, "data"):
            yield from arrow_content(inner, self._columns.image)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Picture, int]:
        try:
            image = self.dataset[index][self._columns.image]
        except Image.DecompressionBombError as error:
            raise TooLargeImageError(
                f"image {index} of {type(self.dataset).__name__} is too large: {error} "
                "Reduce it, or raise the limit, PIL.Image.MAX_IMAGE_PIXELS"
            ) from error
        picture = to_rgb(image) if isinstance(image, Image.Image) else image
        return picture, self.targets[index]

    def subset(self, indices: Sequence[int]) -> "DatasetImages":
        """Select images, in the order of their indices."""
        images = copy(self)
        images.dataset = Subset(self.dataset, indices)  # type: ignore[arg-type]
        images.targets = [self.targets[index] for index in indices]
        return images


def _labels(dataset: MapDataset, columns: Columns) -> Any:
    label = columns.label
    if label is None:
        return [-1] * len(dataset)
    for name in LABELS:
        labels = getattr(dataset, name, None)
        if labels is not None:
            return labels
    if label in getattr(dataset, "column_names", ()):
        return list(dataset[label])  # without decoding an image
    return [
        dataset[each][label] for each in progress(range(len(dataset)), "reading labels")
    ]
