"""Images of a stream by their experience and their index in it."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import torch
from avalanche.benchmarks.utils import AvalancheDataset, concat_datasets
from avalanche.benchmarks.utils.flat_data import FlatData
from torch import Tensor


class StreamSamples:
    """Says which images of a stream a data set holds, and makes it again of them.

    Args:
        stream: The experiences.
    """

    def __init__(self, stream: Iterable[Any]) -> None:
        self._datasets = [each.dataset for each in stream]

    def indices(self, dataset: AvalancheDataset[Any], name: str) -> Tensor:
        """Experience and index in it of each image, int64 of shape (N, 2).

        Args:
            dataset: A data set made of parts of the stream's.
            name: What it is called, for the error message.

        Raises:
            ValueError: If it holds something else.
        """
        sources = [_source(dataset._flat_data, index) for index in range(len(dataset))]
        try:
            rows = [self._places[source] for source in sources]
        except KeyError:
            raise ValueError(
                f"{name} holds images that are not those of the stream"
            ) from None
        return torch.tensor(rows, dtype=torch.long).reshape(-1, 2)

    def subset(self, indices: Tensor) -> AvalancheDataset[Any]:
        """The data set of some images.

        Args:
            indices: Experience and index in it, int64 of shape (N, 2).
        """
        if not len(indices):
            return concat_datasets([])
        lengths = torch.tensor([0, *map(len, self._datasets)])
        rows = lengths.cumsum(0)[indices[:, 0]] + indices[:, 1]
        return concat_datasets(self._datasets).subset(rows.tolist())

    @cached_property
    def _places(self) -> dict[tuple[int, int], tuple[int, int]]:
        return {
            _source(dataset._flat_data, index): (experience, index)
            for experience, dataset in enumerate(self._datasets)
            for index in range(len(dataset))
        }


def _source(data: Any, index: int) -> tuple[int, int]:
    """The data set that an image comes from in the end, and its index there."""
    while isinstance(data, FlatData):
        part, index = data._get_idx(index)
        data = data._datasets[part]
    return id(data), index
