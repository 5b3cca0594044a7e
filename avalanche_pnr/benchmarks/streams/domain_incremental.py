"""Domain-incremental streams with two views in training."""

import numpy as np
from avalanche.benchmarks import CLScenario

from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.streams.cutting import ExperienceIndices, make_benchmark
from avalanche_pnr.transforms import ViewsTransform, ViewTransform


def domain_incremental(
    data: ImageData,
    *,
    train_transform: ViewsTransform,
    eval_transform: ViewTransform,
    return_task_id: bool = False,
) -> CLScenario:
    """Cut images into one experience for each domain, with the same classes in all.

    The order is that of ``data.domain_names``; nothing is random.

    Args:
        data: Images and domains; training images may be without labels (-1).
        train_transform: Stacked views of an image, (2, C, H, W), or those of a whole
            batch (``batched=True``).
        eval_transform: The plain image as a tensor (C, H, W).
        return_task_id: Whether the experiences of domain t have the task label t, from
            0; otherwise there are none.

    Returns:
        An Avalanche benchmark with one experience for each domain in ``train_stream``
        and ``test_stream``, a ``probe_stream`` (the training images without
        augmentation, cut in the same way, or ``data.probe`` in one experience: what
        probes are fitted to), and the attributes

        * ``class_names``: name of each class;
        * ``domain_names``: name of each experience's domain;
        * ``split``: ``{"train": [...], "test": [...]}``, for each experience the
          indices of its images in ``data.train`` and ``data.test``, integer arrays.

    Raises:
        ValueError: If the data has no domains, or a transform does not return what it
            should.

    Source: the protocol of Fini et al. 2022, arXiv 2112.04215, section 5.
    """
    domains = len(data.domain_names)
    if not domains:
        raise ValueError(
            "a domain-incremental stream needs data with domains: choose DomainNet, "
            "PACS, folders domain/class/, or a .npz file with an array domain, or use "
            "data_incremental (stream=data), which cuts any images"
        )
    benchmark = make_benchmark(
        data,
        _cut(data.train.domains, domains),
        _cut(data.test.domains, domains),
        train_transform=train_transform,
        eval_transform=eval_transform,
        return_task_id=return_task_id,
    )
    benchmark.domain_names = data.domain_names
    return benchmark


def _cut(numbers: list[int], domains: int) -> ExperienceIndices:
    """Indices of the images of each domain, in their order."""
    return [np.flatnonzero(np.equal(numbers, domain)) for domain in range(domains)]
