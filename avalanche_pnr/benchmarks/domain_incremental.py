"""Domain-incremental streams with two views in training."""

import numpy as np
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.scenarios.supervised import with_classes_timeline
from avalanche.benchmarks.utils.classification_dataset import ClassificationDataset

from avalanche_pnr.benchmarks.image_data import ImageData
from avalanche_pnr.benchmarks.streams import as_datasets
from avalanche_pnr.transforms import TwoViews, ViewTransform


def domain_incremental(
    data: ImageData, *, train_transform: TwoViews, eval_transform: ViewTransform
) -> CLScenario:
    """Cut images into one experience for each domain, with the same classes in all.

    The order is that of ``data.domain_names``: nothing is random here.

    Args:
        data: Images, classes and domains.
        train_transform: Stacked views of a PIL image, (V, C, H, W).
        eval_transform: The plain image as a tensor (C, H, W).

    Returns:
        An Avalanche benchmark with ``train_stream`` and ``test_stream``, and the
        attributes ``class_names`` and ``domain_names``.

    Raises:
        ValueError: If the data has no domains, or a transform does not return what it
            should.

    Source: the protocol of Fini et al. 2022, arXiv 2112.04215, section 5.
    """
    if not data.domain_names:
        raise ValueError(
            "a domain-incremental stream needs data with domains: choose DomainNet, "
            "add an array domain to the .npz file, or choose another stream"
        )

    def cut(
        dataset: ClassificationDataset, domains: list[int]
    ) -> list[ClassificationDataset]:
        return [
            dataset.subset(np.flatnonzero(np.equal(domains, domain)).tolist())
            for domain in range(len(data.domain_names))
        ]

    train, test = as_datasets(data, train_transform, eval_transform)
    benchmark = with_classes_timeline(
        benchmark_from_datasets(
            train=cut(train, data.train.domains), test=cut(test, data.test.domains)
        )
    )
    benchmark.class_names = data.class_names
    benchmark.domain_names = data.domain_names
    return benchmark
