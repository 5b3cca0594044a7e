"""Precision of the networks: number formats, memory layout, compilation."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import nn

NumberFormat = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Precision:
    """Precision of the networks in training; all else stays in float32.

    Parameters, losses and evaluation are in float32.

    With ``"bfloat16"`` or ``"float16"`` convolutions and matrix products of the online,
    momentum and past networks and of the predictor run under ``torch.autocast``.
    ``"float16"``, the published one, scales losses so that small gradients survive, and
    leaves out steps whose scaled gradients are not finite.

    Args:
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        tf32: Whether matrix products in float32 may be rounded to TF32, on GPUs that
            have it. Convolutions may be in any case, unless PyTorch is told otherwise.
        channels_last: Whether images are stored pixel by pixel. A network keeps its
            layout where a 1x1 convolution with a stride has fewer than 8 input
            channels: oneDNN's gradient of it, as of PyTorch 2.14, writes beyond its
            memory on CPUs without AVX-512.
        compile: Whether ``torch.compile`` compiles the networks; the first batches then
            take long. Names of parameters stay.

    Attributes:
        autocast: Makes the context in which networks are computed, given the type of
            their device. Outputs may then be of less than float32.

    Raises:
        ValueError: If the number format is unknown.
    """

    dtype: NumberFormat = "float32"
    tf32: bool = False
    channels_last: bool = False
    compile: bool = False
    autocast: Callable[[str], AbstractContextManager[Any]] = field(
        init=False, repr=False, compare=False, default=nullcontext
    )

    def __post_init__(self) -> None:
        if self.dtype not in get_args(NumberFormat):
            raise ValueError(
                f"there is no precision {self.dtype!r}: choose one of "
                f"{', '.join(get_args(NumberFormat))}"
            )
        if self.dtype != "float32":
            autocast = partial(torch.autocast, dtype=getattr(torch, self.dtype))
            object.__setattr__(self, "autocast", autocast)  # of a frozen dataclass

    @property
    def scales_losses(self) -> bool:
        """True if gradients would vanish without a scaled loss."""
        return self.dtype == "float16"

    def prepare(self, network: nn.Module) -> None:
        """Lay out and compile a network; TF32 is a setting of the whole process."""
        if self.tf32:
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        if self.channels_last and not any(map(_overruns, network.modules())):
            network.to(memory_format=torch.channels_last)
        if self.compile:
            network.compile()


def _overruns(layer: nn.Module) -> bool:
    """Return whether oneDNN's gradient may overrun its memory with channels last."""
    return (
        isinstance(layer, nn.Conv2d)
        and layer.in_channels < 8
        and layer.kernel_size == (1, 1)
        and layer.stride != (1, 1)
    )
