"""Double precision, on devices that have it and on those that do not."""

from torch import Tensor


def in_float64(x: Tensor) -> Tensor:
    """The same in float64; on the CPU where its device has none, as Apple's GPUs."""
    return (x.cpu() if x.device.type == "mps" else x).double()
