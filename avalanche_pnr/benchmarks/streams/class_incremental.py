"""Class-incremental streams with two views in training."""

from collections.abc import Sequence

import numpy as np
from avalanche.benchmarks import CLScenario
from numpy.typing import NDArray

from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.streams.cutting import (
    ExperienceIndices,
    check_experiences,
    make_benchmark,
)
from avalanche_pnr.transforms import ViewsTransform, ViewTransform


def class_incremental(
    data: ImageData,
    *,
    n_experiences: int,
    train_transform: ViewsTransform,
    eval_transform: ViewTransform,
    seed: int = 0,
    fixed_class_order: Sequence[int] | None = None,
    return_task_id: bool = False,
) -> CLScenario:
    """Cut labelled images into experiences of new classes.

    The classes are permuted by the seed and divided among the experiences, whose
    numbers of classes differ by one at most; every class is used. The global random
    number generators stay untouched.

    Args:
        data: Images and classes.
        n_experiences: Number of experiences, T.
        train_transform: Stacked views of an image, (2, C, H, W), or those of a whole
            batch (``batched=True``).
        eval_transform: The plain image as a tensor (C, H, W).
        seed: Seed of the order of the classes.
        fixed_class_order: The order of the classes, instead of one by the seed.
        return_task_id: Whether experience t has the task label t, from 0, in all
            streams, as in ``SplitCIFAR100(return_task_id=True)``; otherwise there are
            none.

    Returns:
        An Avalanche benchmark with T experiences in each of ``train_stream``,
        ``test_stream`` and ``probe_stream`` (the training images without
        augmentation, which probes are fitted to), and the attributes

        * ``class_names``: name of each class;
        * ``class_order``: for each experience the list of its classes;
        * ``domain_names``: empty;
        * ``split``: ``{"train": [...], "test": [...]}``, for each experience the
          indices of its images in ``data.train`` and ``data.test``, integer arrays.

    Raises:
        ValueError: If there are more experiences than classes, if training images
            have no label, if there is no seed, if the fixed order does not name each
            class once, or if a transform does not return what it should.

    Source: the protocol of Fini et al. 2022, arXiv 2112.04215, section 5.
    """
    if min(data.train.targets) < 0:
        raise ValueError(
            "class_incremental cuts by class, which training images without a label "
            "do not have: use data_incremental (stream=data)"
        )
    if seed is None:
        raise ValueError(
            "class_incremental needs a whole number as its seed (stream.seed=0): None "
            "would be another order of the classes each time"
        )
    classes = len(data.class_names)
    check_experiences(n_experiences, classes, "classes")
    order = np.random.default_rng(seed).permutation(classes)
    if fixed_class_order is not None:
        order = _checked_order(fixed_class_order, classes)
    classes_of = [each.tolist() for each in np.array_split(order, n_experiences)]
    benchmark = make_benchmark(
        data,
        _cut(data.train.targets, classes_of),
        _cut(data.test.targets, classes_of),
        train_transform=train_transform,
        eval_transform=eval_transform,
        return_task_id=return_task_id,
    )
    benchmark.class_order = classes_of
    return benchmark


def _checked_order(order: Sequence[int], classes: int) -> NDArray[np.int64]:
    if sorted(order) != list(range(classes)):
        raise ValueError(
            f"fixed_class_order={list(order)} must name each of the classes 0 to "
            f"{classes - 1} once"
        )
    return np.asarray(order)


def _cut(targets: list[int], classes_of: list[list[int]]) -> ExperienceIndices:
    """Indices of each experience's images; the last class first, as in Avalanche."""
    labels = np.asarray(targets)
    return [
        np.concatenate([np.flatnonzero(labels == c) for c in reversed(classes)])
        for classes in classes_of
    ]
