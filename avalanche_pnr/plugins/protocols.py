"""The parts of a strategy that plugins may use."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from avalanche_pnr.methods import PastModel, SelfSupervisedMethod

Objective = Callable[["LossContext"], dict[str, Tensor]]
"""Computes the terms of a batch's loss, by name."""


class LossContext(Protocol):
    """A batch and its loss, as ``SelfSupervised`` and ``ContinualLoss`` have them.

    Attributes:
        model: The method that is trained.
        past_model: The network of the previous experience, or a moving average.
        objective: Function that computes the loss; ``None`` for the method's SSL loss.
        mb_output: The model's output for the views, shape (N, V, E).
        loss: Loss of the batch.
        loss_terms: Terms of the loss by name, without gradient.
        experience: The current experience.
        sub_experience: Index of the current sub-experience on online streams, or 0.
    """

    model: SelfSupervisedMethod
    past_model: PastModel
    objective: Objective | None
    mb_output: Tensor
    loss: Tensor
    loss_terms: dict[str, Tensor]
    experience: Any
    sub_experience: int

    @property
    def mb_x(self) -> Tensor:
        """Views of the batch, shape (N, V, ...)."""
        ...

    @property
    def sub_experiences(self) -> int:
        """Number of sub-experiences of the current experience, or 1."""
        ...

    def training_views(self, num_workers: int = 0) -> Iterator[Tensor]:
        """Yield the views of the experience once."""
        ...


class Strategy(LossContext, Protocol):
    """``SelfSupervised``, as far as replay plugins know it.

    Attributes:
        clock: Counters of experiences, epochs and iterations.
        dataloader: Data loader of the training.
        device: Device of the model.
        mbatch: The batch, ``[views, labels, ...]``.
        plugins: All plugins.
        seed: Seed of the batches of the current experience.
        train_mb_size: Number of images in a batch.
    """

    clock: Any
    dataloader: Any
    device: torch.device
    mbatch: Any
    plugins: list[Any]
    seed: int
    train_mb_size: int
