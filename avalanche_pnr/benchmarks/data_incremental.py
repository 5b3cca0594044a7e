"""Data-incremental streams with two views in training."""

import numpy as np
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.scenarios.supervised import with_classes_timeline

from avalanche_pnr.benchmarks.image_data import ImageData
from avalanche_pnr.benchmarks.streams import as_datasets, check_experiences
from avalanche_pnr.transforms import TwoViews, ViewTransform


def data_incremental(
    data: ImageData,
    *,
    experiences: int,
    train_transform: TwoViews,
    eval_transform: ViewTransform,
    seed: int = 42,
) -> CLScenario:
    """Cut images into experiences of new images, of any class.

    The training images are permuted by the seed and cut into equal parts; what is
    left over goes to the first. All test images are one single experience. The global
    random number generators stay untouched.

    Args:
        data: Images and classes.
        experiences: Number of training experiences, T.
        train_transform: Stacked views of a PIL image, (V, C, H, W).
        eval_transform: The plain image as a tensor (C, H, W).
        seed: Of the order of the images.

    Returns:
        An Avalanche benchmark with a ``train_stream`` of T experiences and a
        ``test_stream`` of one, and the attribute ``class_names``.

    Raises:
        ValueError: If there are more experiences than training images, or a transform
            does not return what it should.

    Source: the protocol of Fini et al. 2022, arXiv 2112.04215, section 5.
    """
    images = len(data.train)
    check_experiences(experiences, images, "training images")
    train, test = as_datasets(data, train_transform, eval_transform)
    order = np.random.default_rng(seed).permutation(images)
    size, rest = divmod(images, experiences)
    parts = np.split(order, np.arange(size + rest, images, size))
    benchmark = with_classes_timeline(
        benchmark_from_datasets(
            train=[train.subset(part.tolist()) for part in parts], test=[test]
        )
    )
    benchmark.class_names = data.class_names
    return benchmark
