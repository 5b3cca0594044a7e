"""Checks of the weights in a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_VARIANCE = "running_var"
"""Ending of the names of BatchNorm's variances."""


def check_name(name: Any, path: Path) -> None:
    """Refuse a tensor whose name is not text.

    Args:
        name: Name of the tensor in the file.
        path: The file, for the error message.

    Raises:
        ValueError: If it is not, with that name.
    """
    if not isinstance(name, str):
        raise ValueError(
            f"{path} holds a tensor under {name!r}, which is not the name of a "
            "weight: save the network's state_dict()"
        )


def check_numbers(
    weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path
) -> None:
    """Refuse weights that no trained network has.

    Args:
        weights: Weights of the file that are to be loaded.
        wanted: The network's own weights, by the same names.
        path: The file, for the error message.

    Raises:
        ValueError: If a tensor is of another kind (truth values, quantized or complex
            numbers, a sparse tensor), has NaN or infinite values, or is a variance with
            negative values; with its name.
    """
    for name, tensor in weights.items():
        fault = _fault(name, tensor, wanted[name])
        if fault is not None:
            raise ValueError(f"{path} cannot be loaded: {name} {fault}")


def _fault(name: str, tensor: Tensor, wanted: Tensor) -> str | None:
    """Describe what is wrong with a tensor, and the remedy."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_meta:
        return (
            "has a shape and no numbers: save the network from a device that has them"
        )
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return "is not a dense tensor: save the network before it is made smaller"
    if wanted.is_floating_point() and not tensor.is_floating_point():
        return (
            f"is of {kind} and not of floating-point numbers: save the network in "
            "float32"
        )
    if not wanted.is_floating_point() and tensor.dtype not in _WHOLE:
        return f"is of {kind} and not of whole numbers: save the network's state_dict()"
    if tensor.is_floating_point() and not tensor.float().isfinite().all():
        return (
            "has NaN or infinite numbers, so that training had diverged: take an "
            "earlier checkpoint"
        )
    counts = not wanted.is_floating_point() or name.endswith(_VARIANCE)
    if counts and (tensor < 0).any():
        return (
            "has negative numbers, which neither variances nor counts are: fetch the "
            "file again, or take another"
        )
    return None


_WHOLE = (torch.int64, torch.int32, torch.int16, torch.uint8)
