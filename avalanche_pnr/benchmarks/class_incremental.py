"""Class-incremental streams with two views in training."""

from typing import Any

import numpy as np
from avalanche.benchmarks import CLScenario, class_incremental_benchmark
from avalanche.benchmarks.utils.utils import as_classification_dataset
from torch import Tensor

from avalanche_pnr.benchmarks.image_data import ImageData
from avalanche_pnr.random_state import preserve_random_state
from avalanche_pnr.transforms import TwoViews, ViewTransform


def class_incremental(
    data: ImageData,
    *,
    experiences: int,
    train_transform: TwoViews,
    eval_transform: ViewTransform,
    seed: int = 0,
) -> CLScenario:
    """Cut labelled images into experiences of new classes.

    The classes are permuted by the seed and cut into parts whose sizes differ by one
    at most; every class is used. The global random number generators stay untouched.

    Args:
        data: Images and classes.
        experiences: Number of experiences, T.
        train_transform: Stacked views of a PIL image, (V, C, H, W).
        eval_transform: The plain image as a tensor (C, H, W).
        seed: Of the order of the classes.

    Returns:
        An Avalanche benchmark with ``train_stream`` and ``test_stream``, and the
        attributes ``class_names`` and ``class_order`` (classes of each experience).

    Raises:
        ValueError: If there are more experiences than classes, or a transform does
            not return what it should.

    Source: the protocol of Fini et al. 2022, arXiv 2112.04215, section 5.
    """
    classes = len(data.class_names)
    if not 1 <= experiences <= classes:
        raise ValueError(
            f"{experiences} experiences cannot be made of {classes} classes: choose "
            f"stream.experiences between 1 and {classes}"
        )
    _try_transforms(data, train_transform, eval_transform)
    order = np.random.default_rng(seed).permutation(classes)
    parts = [part.tolist() for part in np.array_split(order, experiences)]
    groups = {"train": (train_transform, None), "eval": (eval_transform, None)}
    benchmark = class_incremental_benchmark(
        {
            "train": as_classification_dataset(data.train, groups),
            "test": as_classification_dataset(data.test, groups).eval(),
        },
        class_order=order.tolist(),
        num_classes_per_exp=[len(part) for part in parts],
    )
    benchmark.class_names = data.class_names
    benchmark.class_order = parts
    return benchmark


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
    width, height = image.size
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
