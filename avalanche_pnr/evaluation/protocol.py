"""The part of a strategy that evaluation may use."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor


class EvaluatedStrategy(Protocol):
    """``SelfSupervised``, as far as the evaluation of its features knows it.

    Attributes:
        model: Maps inputs (N, ...) to features (N, F), its ``backbone`` likewise.
        device: Device of the model.
        eval_mb_size: Number of images in an evaluation batch.
        experience: The current experience.
        current_eval_stream: The experiences that are being evaluated.
        clock: Counters of experiences, epochs and iterations.
        mb_output: Class scores (N, C) of the batch, or features without a probe.
        mb_features: Features (N, F) of the batch, where a probe reads them.
        readout: Function from features to class scores, set by a probe.
        sub_experience: Index of the current sub-experience on online streams, or 0.
    """

    model: Any
    device: torch.device
    eval_mb_size: int
    experience: Any
    current_eval_stream: Any
    clock: Any
    mb_output: Tensor
    mb_features: Any
    readout: Callable[[Tensor], Tensor] | None
    sub_experience: int

    @property
    def mb_y(self) -> Tensor:
        """Labels (N,), -1 where there are none."""
        ...

    @property
    def sub_experiences(self) -> int:
        """Number of sub-experiences of the current experience, or 1."""
        ...
