"""Sums in float64, on whatever device."""

from torch import Tensor


def in_float64(x: Tensor) -> Tensor:
    """Convert to float64; on the CPU where its device has none, as Apple's GPUs."""
    return (x.cpu() if x.device.type == "mps" else x).double()
