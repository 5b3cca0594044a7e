"""Data-incremental streams with two views in training."""

import numpy as np
from avalanche.benchmarks import CLScenario

from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.streams.cutting import check_experiences, make_benchmark
from avalanche_pnr.transforms import ViewsTransform, ViewTransform


def data_incremental(
    data: ImageData,
    *,
    n_experiences: int,
    train_transform: ViewsTransform,
    eval_transform: ViewTransform,
    seed: int | None = 42,
    return_task_id: bool = False,
) -> CLScenario:
    """Cut images, labelled or not, into experiences of new images of any class.

    The training images are permuted by the seed and cut into experiences of equal size;
    the remainder goes to the first one. All test images form one experience. The global
    random number generators stay untouched.

    Args:
        data: Images; training images may be without labels (-1).
        n_experiences: Number of training experiences, T.
        train_transform: Stacked views of an image, (2, C, H, W), or those of a whole
            batch (``batched=True``).
        eval_transform: The plain image as a tensor (C, H, W).
        seed: Seed of the order of the images; ``None`` keeps the order of the data,
            for example that of shards.
        return_task_id: Whether training experience t has the task label t, from 0, and
            the test experience 0; otherwise there are none.

    Returns:
        An Avalanche benchmark with a ``train_stream`` of T experiences, a
        ``test_stream`` of one, a ``probe_stream`` (the training images without
        augmentation in T experiences, or ``data.probe`` in one: what probes are
        fitted to), and the attributes

        * ``class_names``: name of each class;
        * ``domain_names``: empty;
        * ``split``: ``{"train": [...], "test": [...]}``, for each experience the
          indices of its images in ``data.train`` and ``data.test``, integer arrays.

    Raises:
        ValueError: If there are more experiences than training images, or a transform
            does not return what it should.

    Source: the protocol of Fini et al. 2022, arXiv 2112.04215, section 5.
    """
    images = len(data.train)
    check_experiences(n_experiences, images, "training images")
    order = np.arange(images)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(images)
    size, rest = divmod(images, n_experiences)
    return make_benchmark(
        data,
        np.split(order, np.arange(size + rest, images, size)),
        [np.arange(len(data.test))],
        train_transform=train_transform,
        eval_transform=eval_transform,
        return_task_id=return_task_id,
    )
