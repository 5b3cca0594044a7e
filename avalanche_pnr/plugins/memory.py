"""A memory of images of the past, and plugins that draw from it."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import torch
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from avalanche.training.storage_policy import ReservoirSamplingBuffer
from torch import Tensor
from torch.utils.data import DataLoader

from avalanche_pnr.plugins.base import SelfSupervisedPlugin

Origin = tuple[int, int]
"""Where an image comes from: number of the experience, index in its data set."""


class Memory:
    """A uniform sample of all images trained on: Avalanche's reservoir.

    Its state names the images by their origin and holds no pixels.

    Args:
        size: Images at most.

    Raises:
        ValueError: If the size is below 1.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"mem_size must be 1 or more, got {size}")
        self._reservoir = ReservoirSamplingBuffer(size)
        self._unrestored: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def dataset(self) -> AvalancheDataset:
        """The images, with the transforms of their experiences."""
        return self._reservoir.buffer

    @property
    def origins(self) -> list[Origin]:
        """Where each image comes from."""
        return list(self.dataset.origins) if len(self) else []

    def add(self, dataset: AvalancheDataset, experience: int) -> None:
        """Let the images of an experience compete for a place.

        Args:
            dataset: The experience's.
            experience: Its number in the stream.
        """
        self._reservoir.update_from_dataset(_with_origins(dataset, experience))

    def state_dict(self) -> dict[str, Any]:
        """Origins, and the random priorities by which images keep their places."""
        if self._unrestored is not None:
            return self._unrestored
        origins = [list(origin) for origin in self.origins]
        return {"origins": origins, "priorities": self._reservoir._buffer_weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state over; the images follow with :meth:`restore`."""
        self._unrestored = state

    def restore(self, stream: Any) -> None:
        """Find the images of a loaded state, if there is one.

        Args:
            stream: The stream of experiences that the state was saved in.

        Raises:
            ValueError: If the stream does not hold the images.
        """
        if self._unrestored is None:
            return
        state, self._unrestored = self._unrestored, None
        origins = [(int(experience), int(i)) for experience, i in state["origins"]]
        if origins:
            self._reservoir.buffer = _find(stream, origins)
        self._reservoir._buffer_weights = state["priorities"].cpu()


class MemoryPlugin(SelfSupervisedPlugin):
    """Draws views of remembered images, a batch beside each of the current ones.

    Images enter the memory when their experience ends; on online streams, when each
    part of it does. They pass the train transform anew whenever they are drawn, all
    different within a batch. Random numbers are those of torch's global generator.

    Args:
        mem_size: Images in the memory at most.
        batch_size_mem: Images drawn for a batch; ``None`` for the strategy's
            ``train_mb_size``; all of the memory where it holds less.

    Raises:
        ValueError: If one of them is below 1.
    """

    def __init__(
        self, *, mem_size: int = 256, batch_size_mem: int | None = None
    ) -> None:
        super().__init__()
        if batch_size_mem is not None and batch_size_mem < 1:
            raise ValueError(f"batch_size_mem must be 1 or more, got {batch_size_mem}")
        self.memory = Memory(mem_size)
        self.batch_size_mem = batch_size_mem
        self._batches: Iterator[Any] | None = None

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Find the images of a loaded state."""
        self.memory.restore(strategy.experience.origin_stream)

    def before_training_epoch(
        self, strategy: Any, num_workers: int = 0, **kwargs: Any
    ) -> None:
        """Draw as many batches as the epoch has."""
        rows = len(self.memory)
        if rows:
            size = min(self.batch_size_mem or strategy.train_mb_size, rows)
            dataset = self.remembered()
            loader = DataLoader(
                dataset,
                batch_sampler=_draws(rows, size, len(strategy.dataloader)),
                collate_fn=dataset.collate_fn,
                num_workers=num_workers,
            )
            self._batches = iter(loader)

    def remembered(self) -> AvalancheDataset:
        """What is drawn from, samples ``(views, ...)`` in the order of the memory."""
        return self.memory.dataset

    def draw(self, strategy: Any) -> list[Tensor] | None:
        """The next batch, ``[views (M, V, C, H, W), ...]``; None without a past."""
        if self._batches is None:
            return None
        return [part.to(strategy.device) for part in next(self._batches)]

    def after_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
        """Release the loader."""
        self._batches = None

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Let the images of the experience enter the memory."""
        experience = strategy.experience
        self.memory.add(experience.dataset, experience.current_experience)

    def state_dict(self) -> dict[str, Any]:
        """State of the memory: origins of the images, no pixels."""
        return {"memory": self.memory.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state; the images come from the next experience's stream."""
        self.memory.load_state_dict(state["memory"])


def _with_origins(dataset: AvalancheDataset, experience: int) -> AvalancheDataset:
    origins = [(experience, index) for index in range(len(dataset))]
    attribute = DataAttribute(origins, "origins")
    return AvalancheDataset([dataset], data_attributes=[attribute])


def _find(stream: Any, origins: list[Origin]) -> AvalancheDataset:
    """Images of a stream, in a given order."""
    wanted = sorted({experience for experience, _ in origins})
    try:
        parts = [_with_origins(stream[number].dataset, number) for number in wanted]
        whole = AvalancheDataset(parts)
        place = {origin: row for row, origin in enumerate(whole.origins)}
        return whole.subset([place[origin] for origin in origins])
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"images that a memory had kept of experiences {wanted} are not in this "
            "stream: continue with the stream that it was saved in; one that is made "
            "on demand cannot be continued"
        ) from error


def _draws(rows: int, size: int, batches: int) -> list[list[int]]:
    """Batches of different rows, cut out of one permutation after the other."""
    full = rows - rows % size
    chunks = (
        chunk
        for _ in count()
        for chunk in torch.randperm(rows)[:full].view(-1, size).tolist()
    )
    return list(islice(chunks, batches))
