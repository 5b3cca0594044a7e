import pytest
import torch

from experiments.pixels import Pixels


@pytest.mark.parametrize("size", [8, 32])
def test_small_images_are_their_pixels(size: int) -> None:
    images = torch.rand(2, 3, size, size)
    assert torch.equal(Pixels()(images), images.flatten(1))


def test_large_images_are_averaged_to_32_px() -> None:
    images = torch.rand(2, 3, 64, 96)
    means = images.unflatten(3, (32, 3)).unflatten(2, (32, 2)).mean(dim=(3, 5))
    torch.testing.assert_close(Pixels()(images), means.flatten(1))
    assert Pixels()(torch.rand(1, 3, 224, 224)).shape == (1, 3 * 32 * 32)
