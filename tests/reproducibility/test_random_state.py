import random

import numpy as np
import pytest
import torch

from avalanche_pnr.reproducibility.random_state import preserve_random_state


def _seed() -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)


def _draw() -> tuple[float, float, float]:
    numpy_number = float(np.random.rand())  # noqa: NPY002
    return random.random(), numpy_number, torch.rand(()).item()


def test_draws_inside_the_block_do_not_change_those_after_it() -> None:
    _seed()
    expected = _draw()
    _seed()
    with preserve_random_state():
        _draw()
    assert _draw() == expected


def test_seeding_inside_the_block_does_not_last() -> None:
    _seed()
    _draw()
    expected = _draw()
    _seed()
    _draw()
    with preserve_random_state():
        _seed()
    assert _draw() == expected


def test_generators_are_restored_when_the_block_raises() -> None:
    _seed()
    expected = _draw()
    _seed()
    with pytest.raises(ZeroDivisionError), preserve_random_state():
        assert _draw() != (1 / 0,)
    assert _draw() == expected


def test_the_block_goes_on_from_the_state_outside() -> None:
    _seed()
    expected = _draw()
    _seed()
    with preserve_random_state():
        inside = _draw()
    assert inside == expected


def test_blocks_nest() -> None:
    _seed()
    expected = _draw()
    _seed()
    with preserve_random_state():
        with preserve_random_state():
            _draw()
        assert _draw() == expected
    assert _draw() == expected
