"""Replaces ``class_incremental_benchmark`` in ``benchmarks/scenarios/supervised.py``.

A number of experiences becomes the number of classes of each, so that one way of
cutting the class order is left: the one that uses them all. Inside Avalanche these
lines stand behind the conversion of the datasets, and the branch for
``num_experiences`` goes.
"""

from typing import Any, Dict, Optional, Sequence

import avalanche.benchmarks
from avalanche.benchmarks import scenarios
from avalanche.benchmarks.scenarios import supervised
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.benchmarks.utils.classification_dataset import (
    _as_taskaware_supervised_classification_dataset,
)

_with_numbers_of_classes = supervised.class_incremental_benchmark


def class_incremental_benchmark(
    datasets_dict: Dict[str, Any],
    *,
    class_order: Optional[Sequence[int]] = None,
    num_experiences: Optional[int] = None,
    num_classes_per_exp: Optional[Sequence[int]] = None,
    seed: Optional[int] = None,
) -> Any:
    """As before; the last of `num_experiences` takes the remaining classes, too."""
    if num_experiences is not None and num_classes_per_exp is None:
        train = next(iter(datasets_dict.values()))
        if not isinstance(train, AvalancheDataset):
            train = _as_taskaware_supervised_classification_dataset(train)
        classes = 1 + max(train.targets.uniques)
        if not 1 <= num_experiences <= classes:
            raise ValueError(
                f"num_experiences must be between 1 and the number of classes "
                f"({classes}), got {num_experiences}"
            )
        size, remainder = divmod(classes, num_experiences)
        num_classes_per_exp = [size] * (num_experiences - 1) + [size + remainder]
        num_experiences = None
    return _with_numbers_of_classes(
        datasets_dict,
        class_order=class_order,
        num_experiences=num_experiences,
        num_classes_per_exp=num_classes_per_exp,
        seed=seed,
    )


for module in (supervised, scenarios, avalanche.benchmarks):
    module.class_incremental_benchmark = class_incremental_benchmark
