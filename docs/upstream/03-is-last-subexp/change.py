"""Replaces ``FixedSizeExperienceSplitter.__iter__`` in ``scenarios/online.py``.

The data is cut before the first part is given out, so the last one is known.
"""

from typing import Any, Iterator

import torch
from avalanche.benchmarks.scenarios.online import (
    FixedSizeExperienceSplitter,
    OnlineCLExperience,
)


def parts_of_experience(self: Any) -> Iterator[Any]:
    """Cut the experience into parts."""
    dataset = self.experience.dataset
    order = torch.arange(len(dataset))
    if self.shuffle:
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(dataset), generator=generator)
    parts = torch.split(order, self.experience_size)
    if self.drop_last:
        parts = tuple(part for part in parts if len(part) == self.experience_size)
    for index, part in enumerate(parts):
        yield OnlineCLExperience(
            dataset=dataset.subset(part.tolist()),
            origin_experience=self.experience,
            is_first_subexp=index == 0,
            is_last_subexp=index == len(parts) - 1,
            sub_stream_length=len(parts),
            access_task_boundaries=self.access_task_boundaries,
        )


FixedSizeExperienceSplitter.__iter__ = parts_of_experience
