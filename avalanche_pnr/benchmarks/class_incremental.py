"""Class-incremental streams with two views in training."""

import numpy as np
from avalanche.benchmarks import CLScenario, class_incremental_benchmark

from avalanche_pnr.benchmarks.image_data import ImageData
from avalanche_pnr.benchmarks.streams import as_datasets, check_experiences
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
    check_experiences(experiences, classes, "classes")
    train, test = as_datasets(data, train_transform, eval_transform)
    order = np.random.default_rng(seed).permutation(classes)
    parts = [part.tolist() for part in np.array_split(order, experiences)]
    benchmark = class_incremental_benchmark(
        {"train": train, "test": test},
        class_order=order.tolist(),
        num_classes_per_exp=[len(part) for part in parts],
    )
    benchmark.class_names = data.class_names
    benchmark.class_order = parts
    return benchmark
