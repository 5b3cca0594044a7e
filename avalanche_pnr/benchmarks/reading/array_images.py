"""Images in memory."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info


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

    @cached_property
    def pixels(self) -> Tensor:
        """The images again, uint8 of shape (N, 3, H, W), for views of whole batches.

        The same memory, if it can be written to, or that of a device.
        """
        return torch.from_numpy(np.require(self.x, requirements="W")).movedim(-1, 1)

    def to(self, device: str | torch.device) -> "ArrayImages":
        """Return the same images with their ``pixels`` on a device."""
        images = copy(self)
        images.pixels = self.pixels.to(device)
        return images

    def subset(self, indices: Sequence[int]) -> "ArrayImages":
        """Select images, in the order of their indices, in memory of their own."""
        chosen = np.asarray(indices)
        domains = np.asarray(self.domains)[chosen] if self.domains else None
        return ArrayImages(self.x[chosen], np.asarray(self.targets)[chosen], domains)

    def bytes(self, indices: list[int]) -> Tensor:
        """Select rows of ``pixels``, uint8 of shape (N, 3, H, W), on their device.

        Raises:
            ValueError: In a loader's process, which cannot reach a GPU.
        """
        if self.pixels.is_cuda and get_worker_info():
            raise ValueError(
                "images on a GPU are not reached from a loader's processes: train with "
                "num_workers=0 (workers=0), since none has to be read"
            )
        rows = torch.tensor(indices, device=self.pixels.device)
        return self.pixels.index_select(0, rows)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return ArrayImage(self, index), self.targets[index]


class ArrayImage(Image.Image):
    """A row of an array, which becomes a PIL image when it is first used as one.

    Views of whole batches take its array's bytes instead.

    Args:
        array: The array.
        index: Index of the image.
    """

    def __init__(self, array: ArrayImages, index: int) -> None:
        super().__init__()
        self._mode, self._size = "RGB", array.x.shape[2:0:-1]
        self.array, self.index = array, index

    def load(self) -> Any:
        """Read the image, as PIL does before every use."""
        # Pillow 11 renamed the attribute that holds them.
        if vars(self).get("_im", vars(self).get("im")) is None:
            self.im = Image.fromarray(self.array.x[self.index]).im
        return super().load()
