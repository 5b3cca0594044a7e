from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms

from avalanche_pnr import TwoViews


@pytest.fixture
def image() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _random_view() -> transforms.Compose:
    return transforms.Compose(
        [transforms.RandomResizedCrop(8, scale=(0.2, 0.6)), transforms.ToTensor()]
    )


def _constant(value: float) -> Callable[[Any], Tensor]:
    return lambda image: torch.full((3, 4, 4), value)


def test_an_image_becomes_one_tensor_of_two_views(image: Image.Image) -> None:
    views = TwoViews(_random_view())(image)
    assert isinstance(views, Tensor)
    assert views.shape == (2, 3, 8, 8)


def test_the_views_are_drawn_independently(image: Image.Image) -> None:
    torch.manual_seed(0)
    first, second = TwoViews(_random_view())(image)
    assert not torch.equal(first, second)


def test_both_views_show_the_image(image: Image.Image) -> None:
    plain = transforms.ToTensor()
    views = TwoViews(plain)(image)
    assert torch.equal(views, torch.stack([plain(image), plain(image)]))


def test_each_view_has_its_own_transform(image: Image.Image) -> None:
    views = TwoViews(_constant(1.0), _constant(2.0))(image)
    assert views[0].unique().tolist() == [1.0]
    assert views[1].unique().tolist() == [2.0]


def test_the_seed_determines_the_views(image: Image.Image) -> None:
    transform = TwoViews(_random_view())
    torch.manual_seed(1)
    once = transform(image)
    torch.manual_seed(1)
    assert torch.equal(transform(image), once)
    assert not torch.equal(transform(image), once)


def test_a_loader_batches_the_views(image: Image.Image) -> None:
    transform = TwoViews(_random_view())
    samples = [(transform(image), label) for label in range(3)]
    views, labels = next(iter(DataLoader(samples, batch_size=3)))
    assert views.shape == (3, 2, 3, 8, 8)
    assert labels.tolist() == [0, 1, 2]
