"""New: ``avalanche/benchmarks/classic/cdomainnet.py``."""

import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence, Union

import avalanche.benchmarks.classic
from avalanche.benchmarks import benchmark_from_datasets, with_classes_timeline
from avalanche.benchmarks.classic.cimagenet import (
    _default_eval_transform,
    _default_train_transform,
)
from avalanche.benchmarks.utils import as_classification_dataset
from avalanche.benchmarks.utils.datasets_from_filelists import FilelistDataset
from avalanche.benchmarks.utils.transform_groups import TransformGroups

DOMAINS = ("real", "quickdraw", "painting", "sketch", "infograph", "clipart")


def DomainNet(  # noqa: N802
    dataset_root: Union[str, Path],
    *,
    domains: Sequence[str] = DOMAINS,
    train_transform: Any = _default_train_transform,
    eval_transform: Any = _default_eval_transform,
) -> Any:
    """Creates a domain-incremental benchmark using the DomainNet dataset.

    Each experience holds the images of one domain; the 345 classes are the same in
    all. The dataset is that of "Moment Matching for Multi-Source Domain Adaptation"
    by Peng et al., ICCV 2019, https://arxiv.org/abs/1812.01754, and is not downloaded.

    :param dataset_root: folder with the folder and the lists (`<domain>_train.txt`,
        `<domain>_test.txt`) of each domain, as they are published.
    :param domains: the domains in the order of the stream; by default in that of
        "Self-Supervised Models are Continual Learners" by Fini et al., CVPR 2022.
    :param train_transform: transform of the training data.
    :param eval_transform: transform of the test data.

    :return: a benchmark with a train and a test stream.
    """
    root = Path(dataset_root)
    unknown = sorted(set(domains) - set(DOMAINS))
    if unknown:
        raise ValueError(f"unknown domains {unknown}: they are {', '.join(DOMAINS)}")
    groups = {"train": (train_transform, None), "eval": (eval_transform, None)}
    streams: Dict[str, List[Any]] = {"train": [], "test": []}
    for name, group in (("train", "train"), ("test", "eval")):
        for domain in domains:
            data = FilelistDataset(root, root / f"{domain}_{name}.txt")
            dataset = as_classification_dataset(data, TransformGroups(dict(groups)))
            streams[name].append(dataset.with_transforms(group))
    return with_classes_timeline(benchmark_from_datasets(**streams))


__all__ = ["DOMAINS", "DomainNet"]

sys.modules["avalanche.benchmarks.classic.cdomainnet"] = sys.modules[__name__]
avalanche.benchmarks.classic.DomainNet = DomainNet
