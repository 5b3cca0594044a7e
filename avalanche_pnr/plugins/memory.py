"""A memory of images of the past."""

from typing import Any

from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from avalanche.training.storage_policy import ReservoirSamplingBuffer

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
        return len(self.origins)

    @property
    def dataset(self) -> AvalancheDataset:
        """The images, with the transforms of their experiences."""
        return self._reservoir.buffer

    @property
    def origins(self) -> list[Origin]:
        """Where each image comes from."""
        if self._unrestored is not None:
            return [(int(number), int(i)) for number, i in self._unrestored["origins"]]
        return list(self.dataset.origins) if len(self.dataset) else []

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
        if self.origins:
            self._reservoir.buffer = _find(stream, self.origins)
        state, self._unrestored = self._unrestored, None
        self._reservoir._buffer_weights = state["priorities"].cpu()


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
