"""What the streams have in common."""

from typing import Any

from avalanche.benchmarks.utils.classification_dataset import ClassificationDataset
from avalanche.benchmarks.utils.utils import as_classification_dataset
from torch import Tensor

from avalanche_pnr.benchmarks.image_data import ImageData
from avalanche_pnr.random_state import preserve_random_state
from avalanche_pnr.transforms import TwoViews, ViewTransform


def as_datasets(
    data: ImageData, train_transform: TwoViews, eval_transform: ViewTransform
) -> tuple[ClassificationDataset, ClassificationDataset]:
    """All training and all test data, to be cut into experiences.

    Both have two views in their "train" group and the plain image in their "eval"
    group; the test data is in its "eval" group.

    Raises:
        ValueError: If a transform does not return what it should.
    """
    _try_transforms(data, train_transform, eval_transform)
    groups = {"train": (train_transform, None), "eval": (eval_transform, None)}
    return (
        as_classification_dataset(data.train, groups),
        as_classification_dataset(data.test, groups).eval(),
    )


def check_experiences(experiences: int, available: int, kind: str) -> None:
    """Refuse a number of experiences some of which would be empty."""
    if not 1 <= experiences <= available:
        raise ValueError(
            f"{experiences} experiences cannot be made of {available} {kind}: choose "
            f"stream.experiences between 1 and {available}"
        )


def _try_transforms(data: ImageData, train: TwoViews, evaluate: ViewTransform) -> None:
    """Apply both transforms to one image: what they return is what batches hold."""
    image, _ = data.train[0]
    with preserve_random_state():
        views, plain = train(image), evaluate(image)
    if not isinstance(views, Tensor) or views.dim() != 4 or len(views) != 2:
        raise ValueError(
            "train_transform must return two stacked views (2, C, H, W), got "
            f"{_describe(views)}: wrap a transform of one view in TwoViews(...)"
        )
    if not isinstance(plain, Tensor) or plain.dim() != 3:
        raise ValueError(
            f"eval_transform must return a tensor (C, H, W), got {_describe(plain)}"
        )
    # Files differ in size until eval_transform makes them one, so that one counts.
    height, width = plain.shape[1:]
    if views.shape[-2] > height or views.shape[-1] > width:
        raise ValueError(
            f"images of {height}x{width} px are smaller than the crop of "
            f"{views.shape[-2]}x{views.shape[-1]} px: lower the input size "
            f"of the views (set data.image_size={min(height, width)})"
        )


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
