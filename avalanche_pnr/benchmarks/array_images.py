"""Images in memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset


class ArrayImages(Dataset[tuple[Image.Image, int]]):
    """Images of a uint8 array as PIL images, with labels.

    Args:
        x: Images, uint8 of shape (N, H, W, 3).
        y: Classes, shape (N,).
        domains: Domains, shape (N,), if there are any.

    Attributes:
        targets: Classes as a list, where Avalanche looks for them.
        domains: Domains as a list, empty if there are none.
    """

    def __init__(
        self,
        x: NDArray[np.uint8],
        y: NDArray[np.integer[Any]],
        domains: NDArray[np.integer[Any]] | None = None,
    ) -> None:
        self.x = x
        self.targets: list[int] = y.tolist()
        self.domains: list[int] = [] if domains is None else domains.tolist()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(self.x[index]), self.targets[index]
