"""Replaces ``_random_indices`` in ``avalanche/benchmarks/scenarios/supervised.py``."""

from typing import Any, List, Optional

import torch
from avalanche.benchmarks.scenarios import supervised


def _random_indices(
    data: Any,
    num_experiences: int,
    shuffle: bool = True,
    seed: Optional[int] = None,
    min_class_patterns_in_exp: int = 0,
) -> List[List[int]]:
    """Split patterns at random into experiences of equal sizes.

    :param data: the dataset to split.
    :param num_experiences: number of experiences.
    :param shuffle: whether patterns are assigned at random or in their order.
    :param seed: seed of the assignment; if None, PyTorch's global random number
        generator is used.
    :param min_class_patterns_in_exp: number of patterns of every class that every
        experience gets at least.

    :return: the indices of each experience, in ascending order.
    """
    if num_experiences < 1:
        raise ValueError("num_experiences must be 1 or more")
    if min_class_patterns_in_exp < 0:
        raise ValueError("min_class_patterns_in_exp must be 0 or more")
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    size = len(data)
    order = torch.randperm(size, generator=generator) if shuffle else torch.arange(size)
    targets = torch.as_tensor(list(data.targets))[order]

    experiences: List[List[int]] = [[] for _ in range(num_experiences)]
    free = torch.ones(size, dtype=torch.bool)
    reserved = num_experiences * min_class_patterns_in_exp
    for target in torch.unique(targets):
        places = (targets == target).nonzero().flatten()
        if len(places) < reserved:
            raise ValueError(
                f"class {target} has {len(places)} patterns, which is too few for "
                f"{min_class_patterns_in_exp} in each of {num_experiences} experiences"
            )
        free[places[:reserved]] = False
        for index, experience in enumerate(experiences):
            experience.extend(order[places[:reserved][index::num_experiences]].tolist())

    for index, part in enumerate(order[free].tensor_split(num_experiences)):
        experiences[index].extend(part.tolist())
    return [sorted(experience) for experience in experiences]


supervised._random_indices = _random_indices
