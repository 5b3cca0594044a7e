"""Saving, restoring and seeding the global random number generators."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from avalanche.training.determinism.rng_manager import RNGManager
from torch import Tensor

from avalanche_pnr.runs.state_checks import (
    check_count,
    check_same_form,
    check_type,
)


@contextmanager
def preserve_random_state() -> Iterator[None]:
    """Restore torch's, numpy's and Python's generators on leaving the block."""
    kept = host_states()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            set_host_states(kept)


def host_states() -> tuple[Any, ...]:
    """Return the states of torch's generator of the CPU, numpy's and Python's."""
    numpy_state = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state(), numpy_state, random.getstate()


def set_host_states(states: tuple[Any, ...]) -> None:
    """Restore the states that :func:`host_states` returned."""
    torch_state, numpy_state, python_state = states
    torch.set_rng_state(torch_state)
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(python_state)


def seed_host(*numbers: int) -> None:
    """Seed torch's generator of the CPU, numpy's and Python's from whole numbers."""
    torch_seed, numpy_seed, python_seed = _mixed(numbers)
    torch.default_generator.manual_seed(torch_seed)  # 80 times as fast as torch's own
    np.random.seed(numpy_seed)  # noqa: NPY002
    random.seed(python_seed)


def seed_experience(seed: int, index: int) -> None:
    """Seed all generators for an experience, unrelated to those of other experiences.

    Args:
        seed: Seed of the stream.
        index: Number of the experience, from 0.
    """
    mixed = np.random.SeedSequence([seed, index])
    RNGManager.set_random_seeds(int(mixed.generate_state(1)[0]))


class RandomStream:
    """A stream of random numbers of its own, for code that draws from global ones.

    Example:
        >>> stream = RandomStream(seed, epoch)
        >>> with stream:
        ...     batch = next(batches)  # draws from the stream, and from nothing else

    Args:
        *seed: Whole numbers that seed it.
    """

    def __init__(self, *seed: int) -> None:
        outside = host_states()
        seed_host(*seed)
        self._inside = host_states()
        set_host_states(outside)

    def __enter__(self) -> None:
        self._outside = host_states()
        set_host_states(self._inside)

    def __exit__(self, *error: object) -> None:
        self._inside = host_states()
        set_host_states(self._outside)


def random_state() -> dict[str, Any]:
    """Return the states of all generators, CUDA's too, as tensors and plain data."""
    torch_state, (name, keys, *rest), python_state = host_states()
    return {
        "torch": torch_state,
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "python": python_state,
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the states that :func:`random_state` returned.

    Generators of CUDA devices that are not present are left out.

    Raises:
        ValueError: If the state is not of that form.
    """
    check_same_form(state, {**random_state(), "cuda": state.get("cuda")}, "random")
    check_type(state["cuda"], "random['cuda']", list)
    for cuda_state in state["cuda"]:
        check_type(cuda_state, "random['cuda']", Tensor)
    name, keys, *rest = state["numpy"]
    # numpy reads the number at this position without looking how many there are.
    check_count(rest[0], "random['numpy']", most=len(keys))
    numpy_state = (name, keys.numpy().astype(np.uint32), *rest)
    try:
        set_host_states((state["torch"], numpy_state, state["python"]))
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"random is not a state of generators ({error})") from error
    for device, cuda_state in enumerate(state["cuda"]):
        if device < torch.cuda.device_count():
            torch.cuda.set_rng_state(cuda_state, device)


def _mixed(numbers: tuple[int, ...]) -> tuple[int, int, int]:
    """Three seeds of 32 bits, which are unrelated for neighbouring numbers."""
    key = b"".join(number.to_bytes(8, "little", signed=True) for number in numbers)
    digest = hashlib.blake2b(key, digest_size=12).digest()
    first, second, third = (
        int.from_bytes(digest[k : k + 4], "little") for k in (0, 4, 8)
    )
    return first, second, third
