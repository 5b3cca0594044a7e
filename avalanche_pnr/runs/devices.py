"""Choosing the device of a run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

AUTO = "auto"
"""Name of the fastest device available."""


def choose_device(name: str) -> "torch.device":
    """Return the device of a name, ``auto`` for the fastest one available.

    Args:
        name: ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:1``.

    Raises:
        ValueError: If it is not available, with torch's reason.
    """
    import torch

    name = available_device() if name == AUTO else name
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError(
            "device=mps cannot be used: PyTorch finds no Apple GPU here (device=cpu "
            "always can, device=auto takes what is available)"
        )
    try:
        torch.zeros(1, device=name).item()  # a meta device has no numbers
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={name} cannot be used: {reason} (device=cpu always can, "
            "device=auto takes what is available)"
        ) from error
    return torch.device(name)


def available_device() -> str:
    """Name the fastest kind of device available."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
