"""A memory of images of earlier experiences."""

from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from avalanche.training.storage_policy import ReservoirSamplingBuffer


class Memory:
    """A uniform sample of all images trained on: Avalanche's reservoir.

    Args:
        size: Largest number of images.

    Raises:
        ValueError: If the size is below 1.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"mem_size must be 1 or more, got {size}")
        self._reservoir = ReservoirSamplingBuffer(size)

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def dataset(self) -> AvalancheDataset:
        """The images, with the transforms of their experiences."""
        return self._reservoir.buffer

    def add(self, dataset: AvalancheDataset) -> list[int | None]:
        """Add images of an experience, as reservoir sampling chooses.

        Args:
            dataset: Data set of the experience.

        Returns:
            For each image that is now in the memory its earlier row, or ``None`` if it
            is new.
        """
        new, old = [None] * len(dataset), list(range(len(self)))
        self._reservoir.buffer = _with_rows(self.dataset, old)
        self._reservoir.update_from_dataset(_with_rows(dataset, new))
        return list(self.dataset.row_before)


def _with_rows(
    dataset: AvalancheDataset, rows: list[int] | list[None]
) -> AvalancheDataset:
    # Avalanche's update_data_attribute would leave the old rows where it reads them.
    attribute = DataAttribute(rows, "row_before")
    return AvalancheDataset([dataset], data_attributes=[attribute])
