"""Checks that several methods share."""

from typing import Any, get_args

from avalanche_pnr.losses import LossReduction


def check_choice(name: str, value: str, choices: Any) -> None:
    """Refuse a value that is not among those of a ``Literal``.

    Raises:
        ValueError: If it is not, with the choices there are.
    """
    if value not in get_args(choices):
        there_are = ", ".join(map(repr, get_args(choices)))
        raise ValueError(f"{name} must be one of {there_are}, got {value!r}")


def check_weights(**weights: float) -> None:
    """Refuse weights that would turn a penalty into a reward.

    Raises:
        ValueError: If one is negative or not a finite number.
    """
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be 0 or more and finite, got {value}")


def check_mean(method: str, reduction: LossReduction) -> None:
    """Refuse to split a loss of batch statistics into one value an image.

    Raises:
        ValueError: If the reduction is not ``"mean"``.
    """
    if reduction != "mean":
        raise ValueError(
            f"{method}'s loss compares statistics of a batch and has no value for each "
            f"image: reduction={reduction!r}, which MIR asks for, needs a method whose "
            "loss is a mean over images, BYOL for example"
        )
