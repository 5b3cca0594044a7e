"""What evaluation may use of a strategy."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor


class EvaluatedStrategy(Protocol):
    """``SelfSupervised``, as far as those that judge its features know it.

    Attributes:
        model: Maps images (N, C, H, W) to features (N, F), its ``backbone`` likewise.
        device: Of the model.
        eval_mb_size: Images in a batch of evaluation.
        experience: The present one.
        current_eval_stream: The experiences that are being evaluated.
        clock: Counters of experiences, epochs and iterations.
        mb_output: Class scores (N, C) of the batch, or features without a probe.
        mb_features: Features (N, F) of the batch, where a probe reads them.
        readout: The probe: class scores of features.
        sub_experience: Index of the present sub-experience on online streams, or 0.
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
        """How many the present experience has, or 1."""
        ...
