"""Images of a stream, known by experience, index and a digest of their content."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from avalanche.benchmarks.utils import AvalancheDataset, concat_datasets
from avalanche.benchmarks.utils.flat_data import FlatData
from PIL import Image
from torch import Tensor

from avalanche_pnr.reproducibility.random_state import RandomStream

DIGEST = 16
"""Bytes of an image's digest."""


class StreamSamples:
    """Records which images of a stream a data set holds, and rebuilds it from them.

    Digests of the images tell whether those of another stream, at the same places, are
    the same ones.

    Args:
        stream: The experiences.
    """

    def __init__(self, stream: Iterable[Any]) -> None:
        self._datasets = [each.dataset for each in stream]
        self._known: dict[tuple[int, int], bytes] = {}

    def indices(self, dataset: AvalancheDataset[Any], name: str) -> Tensor:
        """Find experience and index in it of each image, int64 of shape (N, 2).

        Args:
            dataset: A data set made of samples of the stream.
            name: Name of the data set in error messages.

        Raises:
            TypeError: If it holds images of another stream.
        """
        sources = [_source(dataset, index) for index in range(len(dataset))]
        try:
            rows = [self._places[id(data), index] for data, index in sources]
        except KeyError:
            raise TypeError(
                f"{name} holds images that are not those of the stream that was first "
                "trained on, so they cannot be found again: save before another stream "
                "is trained on"
            ) from None
        return torch.tensor(rows, dtype=torch.long).reshape(-1, 2)

    def digests(self, indices: Tensor) -> Tensor:
        """Compute a digest of 16 bytes of each image before its transforms.

        Args:
            indices: Experience and index in it, int64 of shape (N, 2).

        Returns:
            Digests, uint8 of shape (N, 16).

        Raises:
            TypeError: If the data set returns anything but images.
        """
        rows = [list(self._digest(*place)) for place in indices.tolist()]
        return torch.tensor(rows, dtype=torch.uint8).reshape(-1, DIGEST)

    def subset(
        self, indices: Tensor, digests: Tensor, name: str
    ) -> AvalancheDataset[Any]:
        """Return the data set of some images.

        Args:
            indices: Experience and index in it, int64 of shape (N, 2).
            digests: Their digests, uint8 of shape (N, 16).
            name: Name of their owner in error messages.

        Raises:
            ValueError: If the stream lacks one of them, or has another in its place.
        """
        for (experience, index), digest in zip(
            indices.tolist(), digests.numpy(), strict=True
        ):
            self._check(experience, index, digest.tobytes(), name)
        if not len(indices):
            return concat_datasets([])
        lengths = torch.tensor([0, *map(len, self._datasets)])
        rows = lengths.cumsum(0)[indices[:, 0]] + indices[:, 1]
        return concat_datasets(self._datasets).subset(rows.tolist())

    @property
    def dtypes(self) -> tuple[torch.dtype, ...]:
        """Dtype of the views, where they are whole numbers; empty of other views."""
        with RandomStream(0):
            sample = self._datasets[0][0]
        views = sample[0] if isinstance(sample, tuple | list) else sample
        whole = isinstance(views, Tensor) and not views.is_floating_point()
        return (views.dtype,) if whole else ()

    def _check(self, experience: int, index: int, digest: bytes, name: str) -> None:
        datasets = self._datasets
        if not 0 <= experience < len(datasets):
            fault = f"this stream has {len(datasets)} experiences"
        elif not 0 <= index < len(datasets[experience]):
            fault = f"this stream's has {len(datasets[experience])} images"
        elif self._digest(experience, index) != digest:
            fault = "this stream has another image there"
        else:
            return
        raise ValueError(
            f"{name} holds image {index} of experience {experience}, and {fault}: give "
            "the stream that the state was saved with, its images in the same order"
        )

    def _digest(self, experience: int, index: int) -> bytes:
        place = experience, index
        if place not in self._known:
            self._known[place] = _image_digest(self._datasets[experience], index)
        return self._known[place]

    @cached_property
    def _places(self) -> dict[tuple[int, int], tuple[int, int]]:
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for experience, dataset in enumerate(self._datasets):
            for index in range(len(dataset)):
                data, row = _source(dataset, index)
                found[id(data), row] = experience, index
        return found


def _source(dataset: AvalancheDataset[Any], index: int) -> tuple[Any, int]:
    """The data set that an image comes from in the end, and its index there."""
    data = dataset._flat_data
    while isinstance(data, FlatData):
        part, index = data._get_idx(index)
        data = data._datasets[part]
    return data, index


def _image_digest(dataset: AvalancheDataset[Any], index: int) -> bytes:
    """Digest of an image before Avalanche's transforms."""
    data, row = _source(dataset, index)
    with RandomStream(0):  # data sets may crop at random by themselves
        sample = data[row]
    image = sample[0] if isinstance(sample, tuple | list) else sample
    digest = hashlib.blake2b(digest_size=DIGEST)
    for part in _content(image):
        digest.update(part)
    return digest.digest()


def _content(image: Any) -> Iterator[bytes]:
    """Yield the bytes that identify an image: its kind, size and pixels."""
    if isinstance(image, Image.Image):
        palette = image.getpalette() if image.mode == "P" else None
        yield repr((image.mode, image.size, palette)).encode()
        yield image.tobytes()
    elif isinstance(image, Tensor):
        yield repr((image.dtype, tuple(image.shape))).encode()
        flat = image.detach().cpu().contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().tobytes()
    elif isinstance(image, np.ndarray):
        yield repr((image.dtype.str, image.shape)).encode()
        yield image.tobytes()
    else:
        raise TypeError(
            f"a data set gives a {type(image).__name__} where a PIL image, a tensor or "
            "an array is expected: a memory of such images cannot be saved"
        )
