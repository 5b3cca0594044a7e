"""First-in, first-out memory of embeddings, one row of keys for each view."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Queue(nn.Module):
    """The last ``length`` embeddings of every view, L2-normalised.

    Starts as random unit vectors. The content and the write position are buffers:
    they follow the module's device and survive its ``state_dict``.

    Args:
        length: Number of embeddings kept for each view, K.
        dim: Size of an embedding, D.
        views: Number of views, V.

    Raises:
        ValueError: If the length is below 1.
    """

    keys: Tensor
    pointer: Tensor

    def __init__(self, length: int, dim: int, views: int = 2) -> None:
        super().__init__()
        if length < 1:
            raise ValueError(f"queue_length must be 1 or more, got {length}")
        random = torch.randn(views, length, dim)
        self.register_buffer("keys", normalize(random, dim=-1))  # (V, K, D)
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    def __len__(self) -> int:
        return self.keys.shape[1]

    @torch.no_grad()
    def enqueue(self, embeddings: Tensor) -> None:
        """Replace the oldest keys by this batch.

        Args:
            embeddings: L2-normalised, shape (N, V, D), N at most the length.

        Raises:
            ValueError: If the batch is larger than the queue.
        """
        self.check_batch_size(len(embeddings))
        rows = torch.arange(len(embeddings), device=self.pointer.device)
        rows = (self.pointer + rows) % len(self)
        self.keys[:, rows] = embeddings.transpose(0, 1).to(self.keys.dtype)
        self.pointer.copy_((self.pointer + len(embeddings)) % len(self))

    @torch.no_grad()
    def fill(self, embeddings: Tensor) -> None:
        """Replace every key by the last embeddings, repeated if they are too few.

        Args:
            embeddings: L2-normalised, shape (M, V, D), M of any length.
        """
        latest = embeddings[-len(self) :]
        rows = torch.arange(len(self), device=latest.device) % len(latest)
        self.keys.copy_(latest[rows].transpose(0, 1))
        self.pointer.zero_()

    def check_batch_size(self, batch_size: int) -> None:
        """Refuse batches that the queue cannot hold.

        Args:
            batch_size: Number of images in a batch, N.

        Raises:
            ValueError: If the batch is larger than the queue.
        """
        if batch_size > len(self):
            raise ValueError(
                f"a queue of length {len(self)} is shorter than a batch of "
                f"{batch_size}: raise queue_length or lower the batch size"
            )
