"""Trainings that are interrupted and continued from a file, beside whole ones."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avalanche_pnr import SelfSupervised
from avalanche_pnr.runs.files import load_state, save_state

Make = Callable[[], SelfSupervised]


class CutError(Exception):
    """Raised where a training is interrupted."""


class CutAfter:
    """Saves a strategy at one of its pauses, and stops it there.

    Args:
        pause: Which one, from 1: after each iteration and after each epoch.
        path: Where it is saved.
    """

    def __init__(self, pause: int, path: Path) -> None:
        self.left = pause
        self.path = path

    def __call__(self, strategy: SelfSupervised) -> None:
        self.left -= 1
        if not self.left:
            save_state(self.path, strategy.state_dict())
            raise CutError


def whole(make: Make, stream: Any, **kwargs: Any) -> SelfSupervised:
    """A strategy that was trained on all experiences without a break."""
    strategy = make()
    train(strategy, stream, **kwargs)
    return strategy


def continued(
    make: Make, stream: Any, path: Path, pauses: Iterable[int], **kwargs: Any
) -> SelfSupervised:
    """One that was interrupted after some pauses, each time to be made anew."""
    strategy = make()
    for pause in pauses:
        strategy.checkpoint_callback = CutAfter(pause, path)
        try:
            train(strategy, stream[strategy.clock.train_exp_counter :], **kwargs)
        except CutError:
            pass
        else:
            raise AssertionError(f"training ended before pause {pause}")
        torch.manual_seed(pause)  # another process draws other numbers
        strategy = make()
        strategy.load_state_dict(load_state(path), stream)
    train(strategy, stream[strategy.clock.train_exp_counter :], **kwargs)
    return strategy


def train(strategy: SelfSupervised, stream: Any, **kwargs: Any) -> None:
    """Train on one experience after the other, seeded by its number."""
    for experience in stream:
        torch.manual_seed(100 + experience.current_experience)
        strategy.train(experience, **kwargs)


def differences(first: Any, second: Any, name: str = "state") -> list[str]:
    """Names of what is not the same to the last bit."""
    if type(first) is not type(second):
        return [f"{name}: {type(first).__name__} and {type(second).__name__}"]
    if isinstance(first, dict):
        if list(first) != list(second):
            return [f"{name}: {list(first)} and {list(second)}"]
        pairs = [(f"{name}.{k}", first[k], second[k]) for k in first]
    elif isinstance(first, list | tuple):
        if len(first) != len(second):
            return [f"{name}: lengths {len(first)} and {len(second)}"]
        pairs = [
            (f"{name}[{k}]", a, b)
            for k, (a, b) in enumerate(zip(first, second, strict=True))
        ]
    elif isinstance(first, Tensor):
        same = first.dtype == second.dtype and torch.equal(first, second)
        return [] if same else [name]
    else:
        same = first == second or bool(first != first and second != second)  # NaN
        return [] if same else [f"{name}: {first} and {second}"]
    return [each for path, a, b in pairs for each in differences(a, b, path)]
