import numpy as np
import pytest

from avalanche_pnr.benchmarks import load_digits


def test_digits_are_rgb_images_of_8_px() -> None:
    data = load_digits()
    assert data.train.x.shape[1:] == data.test.x.shape[1:] == (8, 8, 3)
    assert data.train.x.dtype == np.uint8
    assert len(data.train) + len(data.test) == 1797
    assert data.class_names == tuple("0123456789")
    assert (data.train.x[..., 0] == data.train.x[..., 2]).all()
    assert (data.train.x.min(), data.train.x.max()) == (0, 255)


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_digits_are_split_within_each_class(fraction: float) -> None:
    data = load_digits(test_fraction=fraction)
    train, test = np.bincount(data.train.targets), np.bincount(data.test.targets)
    assert np.abs(test - fraction * (train + test)).max() <= 1


def test_the_seed_determines_the_split_of_the_digits() -> None:
    first, again, other = load_digits(seed=1), load_digits(seed=1), load_digits(seed=2)
    assert np.array_equal(first.test.x, again.test.x)
    assert not np.array_equal(first.test.x, other.test.x)
