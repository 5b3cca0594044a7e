"""New: ``avalanche/benchmarks/classic/cimagenet100.py``.

The list of classes, ``class_lists/imagenet100_cmc.txt`` of this package, goes with it.
"""

import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

import avalanche.benchmarks.classic
from avalanche.benchmarks import nc_benchmark
from avalanche.benchmarks.classic.cimagenet import (
    _default_eval_transform,
    _default_train_transform,
)
from torchvision.datasets import ImageFolder

from avalanche_pnr.benchmarks.datasets.wnid_lists import read_class_list

IMAGENET_100 = tuple(read_class_list("cmc"))


class _ImageNetClasses(ImageFolder):
    """Images of some classes of ImageNet, numbered in the order of the list."""

    def __init__(self, root: Path, wnids: Sequence[str]) -> None:
        self.wnids = list(wnids)
        super().__init__(str(root))

    def find_classes(self, directory: Any) -> Tuple[List[str], Dict[str, int]]:
        return self.wnids, {wnid: index for index, wnid in enumerate(self.wnids)}


def SplitImageNet100(  # noqa: N802
    dataset_root: Union[str, Path],
    *,
    n_experiences: int = 10,
    wnids: Sequence[str] = IMAGENET_100,
    train_transform: Any = _default_train_transform,
    eval_transform: Any = _default_eval_transform,
    **kwargs: Any,
) -> Any:
    """Creates a class-incremental benchmark using 100 classes of ImageNet.

    Several subsets are called ImageNet-100; results on different ones cannot be
    compared. The default is that of "Contrastive Multiview Coding" by Tian et al.,
    ECCV 2020, https://arxiv.org/abs/1906.05849

    :param dataset_root: folder with the images, `train/<wnid>/*` and `val/<wnid>/*`;
        other classes may be there, too. Nothing is downloaded.
    :param n_experiences: number of experiences.
    :param wnids: the classes; class i is the i-th of them.
    :param train_transform: transform of the training data.
    :param eval_transform: transform of the test data.
    :param kwargs: other arguments of :func:`SplitImageNet`, such as `seed` and
        `return_task_id`.

    :return: a benchmark with a train and a test stream.
    """
    if len(set(wnids)) != len(wnids):
        raise ValueError("wnids names a class more than once")
    root = Path(dataset_root)
    return nc_benchmark(
        _ImageNetClasses(root / "train", wnids),
        _ImageNetClasses(root / "val", wnids),
        n_experiences=n_experiences,
        task_labels=kwargs.pop("return_task_id", False),
        train_transform=train_transform,
        eval_transform=eval_transform,
        **{"seed": 0, **kwargs},
    )


__all__ = ["IMAGENET_100", "SplitImageNet100"]

sys.modules["avalanche.benchmarks.classic.cimagenet100"] = sys.modules[__name__]
avalanche.benchmarks.classic.SplitImageNet100 = SplitImageNet100
