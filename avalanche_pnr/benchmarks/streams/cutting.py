"""Cutting images into experiences, shared by all streams."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from avalanche.benchmarks import (
    CLScenario,
    benchmark_from_datasets,
    with_task_labels,
)
from avalanche.benchmarks.scenarios.supervised import with_classes_timeline
from avalanche.benchmarks.utils import TaskLabels
from avalanche.benchmarks.utils.classification_dataset import (
    TaskAwareSupervisedClassificationDataset,
)
from avalanche.benchmarks.utils.flat_data import ConstantSequence
from avalanche.benchmarks.utils.utils import as_classification_dataset
from numpy.typing import NDArray
from torch import Tensor

from avalanche_pnr.benchmarks.reading.image_data import ImageData, Images
from avalanche_pnr.benchmarks.reading.images import reduced
from avalanche_pnr.benchmarks.streams.adapting import Transform, adapted
from avalanche_pnr.reproducibility.random_state import preserve_random_state
from avalanche_pnr.transforms import ViewsTransform, ViewTransform
from avalanche_pnr.transforms.batched import DeferredViews, draw_views
from avalanche_pnr.transforms.reduction import Reduction

ExperienceIndices = Sequence[NDArray[np.intp]]
"""Indices of the images of each experience."""


def make_benchmark(
    data: ImageData,
    train: ExperienceIndices,
    test: ExperienceIndices,
    *,
    train_transform: ViewsTransform,
    eval_transform: ViewTransform,
    return_task_id: bool = False,
) -> CLScenario:
    """Cut images into experiences.

    Every data set has two views in its "train" group and the plain image in its
    "eval" group; those of the train stream are in the "train" group. The probe stream
    is cut like the train stream, or is all of ``data.probe`` where that is given. The
    test stream lacks experiences without test images, with a warning. The probe stream
    is empty if no image has a label. Files are decoded as much smaller as both
    transforms allow.

    The task label of an experience is its number in the train stream, in all streams.
    Where one experience holds the images of all, it is 0, as in Avalanche's benchmarks
    of new instances.

    Args:
        data: Images.
        train: Indices into ``data.train`` of each experience.
        test: Indices into ``data.test`` of each experience.
        train_transform: Stacked views of an image, (2, C, H, W), or those of a whole
            batch.
        eval_transform: The plain image as a tensor (C, H, W).
        return_task_id: Whether experiences and samples have task labels.

    Returns:
        An Avalanche benchmark with ``train_stream``, ``test_stream`` and
        ``probe_stream``, and the attributes ``class_names``, ``domain_names`` and
        ``split``.

    Raises:
        ValueError: If a transform does not return what it should.
    """
    image, _ = data.train[0]
    transforms: list[Transform] = [train_transform, eval_transform]
    if isinstance(image, Tensor):  # PIL images are RGB already
        transforms = [adapted(each, image) for each in transforms]
    with preserve_random_state():
        check_transformed(*(each(image) for each in transforms))
    train_group, eval_group = ((each, None) for each in transforms)
    groups = {"train": train_group, "eval": eval_group}
    reduction = Reduction.for_transforms(*transforms)

    if untested := [number for number, part in enumerate(test, 1) if not len(part)]:
        warnings.warn(
            f"experiences {untested} have no test images and are not tested: what "
            "compares experiences, such as forgetting, is not defined",
            stacklevel=3,
        )

    def cut(images: Images, parts: ExperienceIndices) -> list[Any]:
        whole = as_classification_dataset(reduced(images, reduction), groups)
        datasets = [whole.subset(part.tolist()) for part in parts]
        if not return_task_id:
            return datasets
        return [_with_task_label(each, task) for task, each in enumerate(datasets)]

    together = [np.arange(len(data.probe_images))]
    probe = cut(data.probe_images, train if data.probe is None else together)
    benchmark = with_classes_timeline(
        benchmark_from_datasets(
            train=cut(data.train, train),
            test=[part.eval() for part in cut(data.test, test) if len(part)],
            probe=[part.eval() for part in probe if len(part)],
        )
    )
    if return_task_id:
        benchmark = with_task_labels(benchmark)
    benchmark.class_names = data.class_names
    benchmark.domain_names = ()
    benchmark.split = {"train": list(train), "test": list(test)}
    return benchmark


def _with_task_label(dataset: Any, task: int) -> Any:
    labels = TaskLabels(ConstantSequence(task, len(dataset)))
    return TaskAwareSupervisedClassificationDataset([dataset], data_attributes=[labels])


def check_experiences(experiences: int, available: int, kind: str) -> None:
    """Refuse a number of experiences some of which would be empty.

    Raises:
        ValueError: If there are more experiences than items to divide, or none.
    """
    if not 1 <= experiences <= available:
        raise ValueError(
            f"{experiences} experiences cannot be made of {available} {kind}: write "
            f"n_experiences={available} or less (stream.n_experiences={available})"
            if experiences > available
            else f"n_experiences={experiences} must be 1 at least "
            "(stream.n_experiences=1)"
        )


def check_transformed(
    views: Any,
    plain: Any,
    train_transform: str = "train_transform",
    eval_transform: str = "eval_transform",
) -> None:
    """Refuse transforms whose results cannot be samples of a batch.

    Args:
        views: Result of the train transform for an image.
        plain: Result of the eval transform for the same image.
        train_transform: Name of the train transform in error messages.
        eval_transform: Name of the eval transform in error messages.

    Raises:
        ValueError: Unless these are two stacked views and an input of as many
            dimensions; of images (C, H, W) with as many channels, and no smaller.
    """
    views, plain = (
        draw_views([each])[0] if isinstance(each, DeferredViews) else each
        for each in (views, plain)
    )
    if not isinstance(views, Tensor) or views.dim() < 2 or len(views) != 2:
        raise ValueError(
            f"{train_transform} must return two stacked views, of images (2, C, H, W), "
            f"got {_describe(views)}: wrap a transform of one view in TwoViews(...)"
        )
    if not isinstance(plain, Tensor) or plain.dim() != views.dim() - 1:
        raise ValueError(
            f"{eval_transform} must return a tensor like one view, an image (C, H, W), "
            f"got {_describe(plain)} beside {_describe(views)} of views"
        )
    if plain.dim() != 3:  # no image: token ids (L,), windows (C, L)
        return
    if len(plain) != views.shape[1]:
        raise ValueError(
            f"views have {views.shape[1]} channels, but {eval_transform} returns "
            f"{_describe(plain)}: let both give as many, for example with "
            "torchvision.transforms.v2.Grayscale(3) for grey images as RGB"
        )
    # Files differ in size until eval_transform makes them one, so that one counts.
    height, width = plain.shape[1:]
    if views.shape[-2] > height or views.shape[-1] > width:
        raise ValueError(
            f"images of {height}x{width} px are smaller than the crop of "
            f"{views.shape[-2]}x{views.shape[-1]} px: lower the input size of the "
            f"views (on the command line: set data.image_size={min(height, width)})"
        )


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
