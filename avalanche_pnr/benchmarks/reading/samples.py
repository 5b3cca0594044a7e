"""Finding the image and its class in a data set's samples."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image
from torch import Tensor


class MapDataset(Protocol):
    """A map-style data set: samples (image, class), or dictionaries that hold both."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Any: ...


class Columns(NamedTuple):
    """Positions or keys of the image and its class in a sample.

    Attributes:
        image: Position or key of the image.
        label: Position or key of its class; ``None`` if there are no classes.
    """

    image: Any
    label: Any


def check_map_style(dataset: object) -> None:
    """Refuse data sets whose images cannot be counted and drawn by their numbers.

    Raises:
        ValueError: If it is such a data set, with what to pass instead.
    """
    name = type(dataset).__name__
    if isinstance(dataset, Mapping):
        raise ValueError(
            f"{name} holds the data sets {', '.join(map(str, dataset))}: hand over one "
            "of them for training and one for testing"
        )
    if not any(hasattr(dataset, name) for name in ("__iter__", "__getitem__")):
        raise ValueError(
            f"{name} is not a data set of images: hand over one with len(dataset) and "
            "dataset[index]"
        )
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise ValueError(
            f"{name} is a stream, whose images come one after the other, but they are "
            "drawn by number here: load it without streaming=True, or save its images "
            "to files first"
        )


def find_columns(dataset: MapDataset, image: str | None, label: str | None) -> Columns:
    """Find the image and its class in the first sample.

    Args:
        dataset: The data set, not empty.
        image: As for :class:`DatasetImages`.
        label: As for :class:`DatasetImages`.

    Raises:
        ValueError: If they are missing or ambiguous.
    """
    sample = dataset[0]
    if isinstance(sample, Mapping):
        return _named(sample, image, label)
    parts = sample if isinstance(sample, tuple | list) else ()
    if len(parts) != 2 or not _is_picture(parts[0]):
        got = ", ".join(map(_describe, parts)) or type(sample).__name__
        raise ValueError(
            f"samples of {type(dataset).__name__} must be (image, class), a PIL image "
            f"or a tensor (C, H, W), or a dictionary of these, got ({got}): leave "
            "transforms to the stream"
        )
    return Columns(0, 1)


def _named(sample: Mapping[str, Any], image: str | None, label: str | None) -> Columns:
    for option, name in {"image": image, "label": label}.items():
        if name is not None and name not in sample:
            raise ValueError(
                f"there is no {option}={name} in the samples: they hold "
                f"{', '.join(sample)}"
            )
    pictures = [name for name, value in sample.items() if _is_picture(value)]
    if image is None:
        image = _only("image", pictures, sample)
    elif image not in pictures:
        raise ValueError(
            f"image={image} must be a PIL image or a tensor (C, H, W), and is "
            f"{_describe(sample[image])}"
        )
    if label is None and "label" in sample:
        label = "label"
    if label is None:
        numbers = [name for name, value in sample.items() if _is_class(value)]
        label = _only("label", numbers, sample) if numbers else None
    return Columns(image, label)


def _only(option: str, names: list[str], sample: Iterable[str]) -> str:
    if len(names) != 1:
        found = f"could be {' or '.join(names)}" if names else "is not among them"
        raise ValueError(
            f"samples hold {', '.join(sample)}, and the {option} {found}: name it, "
            f"{option}=... (data.{option}=...)"
        )
    return names[0]


def _is_picture(value: object) -> bool:
    return isinstance(value, Image.Image) or (
        isinstance(value, Tensor) and value.dim() == 3
    )


def _is_class(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return f"Tensor of shape {tuple(value.shape)}"
    return type(value).__name__
