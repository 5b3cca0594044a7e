"""Images that a learner keeps: a sample to watch, and a memory to replay."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from avalanche_pnr.learner.digests import Digests
from avalanche_pnr.learner.images import Arrivals

QUALITY = 92
TINY = 64
"""Up to this many pixels on the shorter side an image is kept without loss."""


@dataclass(frozen=True, eq=False)
class KeptImages(Dataset[tuple[Image.Image, int]]):
    """Image files in memory, reduced and without metadata, by experience.

    Attributes:
        files: Bytes of each file.
        digests: Of the images that they were made of, shape (N, 16).
        experiences: Number of the experience of each, from 1, shape (N,).
    """

    files: tuple[bytes, ...] = ()
    digests: Digests = field(default_factory=lambda: np.empty((0, 16), np.uint8))
    experiences: tuple[int, ...] = ()

    @property
    def targets(self) -> list[int]:
        """-1 for each image."""
        return [-1] * len(self)

    @property
    def domains(self) -> list[int]:
        """An empty list: there are no domains."""
        return []

    @property
    def size(self) -> int:
        """Size of all files together, bytes."""
        return sum(map(len, self.files))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.open(io.BytesIO(self.files[index])).convert("RGB"), -1

    def subset(self, indices: Sequence[int]) -> "KeptImages":
        """Select images, in the order of their indices."""
        return KeptImages(
            tuple(self.files[k] for k in indices),
            self.digests[list(indices)],
            tuple(self.experiences[k] for k in indices),
        )

    def of(self, experience: int) -> "KeptImages":
        """Select those of an experience."""
        return self.subset(
            [k for k, e in enumerate(self.experiences) if e == experience]
        )

    def with_arrivals(
        self, arrivals: Arrivals, experience: int, side: int
    ) -> "KeptImages":
        """Return these images and some more.

        Args:
            arrivals: The images to add.
            experience: Number of their experience.
            side: Length that the shorter side is reduced to, pixels.
        """
        files = tuple(_file(arrivals[k][0], side) for k in range(len(arrivals)))
        return KeptImages(
            self.files + files,
            np.concatenate([self.digests, arrivals.digests]),
            self.experiences + (experience,) * len(files),
        )

    def state_dict(self) -> dict[str, Any]:
        """Describe them by tensors and plain data."""
        content = b"".join(self.files)
        return {
            "content": torch.frombuffer(bytearray(content or b"\0"), dtype=torch.uint8),
            "sizes": [len(each) for each in self.files],
            "digests": torch.from_numpy(self.digests.copy()),
            "experiences": list(self.experiences),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "KeptImages":
        """Restore the images that :meth:`state_dict` described."""
        content, ends = state["content"].numpy().tobytes(), np.cumsum(state["sizes"])
        starts = [0, *ends[:-1]] if len(ends) else []
        files = tuple(content[a:b] for a, b in zip(starts, ends, strict=True))
        return cls(files, state["digests"].numpy(), tuple(state["experiences"]))


def smallest(digests: Digests, number: int) -> list[int]:
    """Find the images with the smallest digests.

    Digests are as good as random: of whatever streams in, the smallest so far are a
    uniform sample, and which images they are depends on nothing else.

    Args:
        digests: Digests, shape (N, 16).
        number: How many at most.

    Returns:
        Their indices, in order.
    """
    order = np.lexsort(digests.T[::-1])  # the first byte decides first
    chosen: list[int] = sorted(order[:number].tolist())
    return chosen


def _file(image: Image.Image, side: int) -> bytes:
    scale = side / min(image.size)
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    clean = Image.fromarray(np.asarray(image.convert("RGB")))
    buffer = io.BytesIO()
    if min(clean.size) <= TINY:
        clean.save(buffer, "PNG")
    else:
        clean.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
