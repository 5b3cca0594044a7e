import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter, ImageOps
from sklearn.datasets import load_sample_image
from torch import Tensor
from torchvision.transforms import functional

from avalanche_pnr.transforms import batched_steps
from avalanche_pnr.transforms.batched_steps import (
    Blur,
    Greyscale,
    Jitter,
    Normalize,
    Solarize,
    Sometimes,
)

pytest.importorskip("kornia")

FLOWER = Image.fromarray(load_sample_image("flower.jpg")[100:164, 200:264])
ALWAYS = 1.0


def levels(image: Image.Image) -> Tensor:
    return torch.tensor(np.asarray(image)).permute(2, 0, 1).float()


def assert_like_pil(ours: Tensor, theirs: Image.Image, mean: float = 1.0) -> None:
    """Equal but for PIL's whole numbers after each operation."""
    difference = (255 * ours - levels(theirs)).abs()
    assert difference.mean() < mean


def batch(images: int = 1) -> Tensor:
    return (levels(FLOWER) / 255).repeat(images, 1, 1, 1)


@pytest.mark.parametrize(
    ("number", "adjust", "factors"),
    [
        (0, functional.adjust_brightness, (0.6, 1.0, 1.4)),
        (1, functional.adjust_contrast, (0.6, 1.0, 1.4)),
        (2, functional.adjust_saturation, (0.8, 1.0, 1.2)),
        (3, functional.adjust_hue, (-0.1, 0.0, 0.1)),
    ],
)
def test_colours_change_by_each_images_factor_as_in_torchvision(
    number: int, adjust: Callable[..., Any], factors: tuple[float, ...]
) -> None:
    adjustment = batched_steps._adjustments()[number]
    changed = adjustment(batch(3), torch.tensor(factors))
    for ours, factor in zip(changed, factors, strict=True):
        assert_like_pil(ours, adjust(FLOWER, factor), mean=1.5)


def test_factors_cover_their_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, list[float]] = {number: [] for number in range(4)}

    def adjustment(number: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda images, by: seen[number].extend(by.tolist()) or images

    adjustments = [adjustment(number) for number in range(4)]
    monkeypatch.setattr(batched_steps, "_adjustments", lambda: adjustments)
    Jitter(ALWAYS, (0.4, 1.2, 0.2, 0.1))(torch.zeros(2000, 3, 1, 1))
    for values, (low, high) in zip(
        seen.values(), [(0.6, 1.4), (0, 2.2), (0.8, 1.2), (-0.1, 0.1)], strict=True
    ):
        found = torch.tensor(values)
        span = high - low
        assert len(found) == 2000
        assert low <= found.min() < low + 0.02 * span
        assert high - 0.02 * span < found.max() <= high
        assert abs(found.mean() - (low + high) / 2) < 0.03 * span
        assert abs(found.std() - span / 12**0.5) < 0.02 * span


def test_each_image_has_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def adjustment(number: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda images, by: 10 * images + number

    adjustments = [adjustment(number) for number in range(4)]
    monkeypatch.setattr(batched_steps, "_adjustments", lambda: adjustments)
    images = Jitter(ALWAYS, (0.4, 0.4, 0.2, 0.1))(torch.zeros(4800, 3, 1, 1))
    counts = Counter(images[:, 0, 0, 0].int().tolist())
    assert len(counts) == 24  # all orders of four
    assert all(140 < count < 260 for count in counts.values())  # of 200


def test_grey_is_pils_luma() -> None:
    assert_like_pil(
        Greyscale(ALWAYS)(batch())[0], ImageOps.grayscale(FLOWER).convert("RGB")
    )


def test_values_from_128_on_are_inverted() -> None:
    assert_like_pil(Solarize(ALWAYS)(batch())[0], ImageOps.solarize(FLOWER, 128), 1e-3)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
def test_blur_is_that_of_pil(sigma: float) -> None:
    """PIL's is made of three boxes, which is nearly a Gaussian."""
    blurred = FLOWER.filter(ImageFilter.GaussianBlur(sigma))
    assert_like_pil(Blur(ALWAYS, (sigma, sigma))(batch())[0], blurred, mean=1.2)


def test_each_image_is_blurred_by_a_sigma_of_its_own() -> None:
    blurred = Blur(ALWAYS, (0.1, 2.0))(batch(40))
    detail = blurred.diff(dim=-1).square().mean(dim=(1, 2, 3))
    assert len(detail.unique()) == 40
    assert detail.max() > 2 * detail.min()


@pytest.mark.parametrize(
    "step",
    [
        lambda p: Jitter(p, (0.4, 0.4, 0.2, 0.1)),
        lambda p: Greyscale(p),
        lambda p: Blur(p, (0.5, 2.0)),
        lambda p: Solarize(p),
    ],
)
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_steps_happen_to_images_with_their_probability(
    step: Callable[[float], Sometimes], probability: float
) -> None:
    images = torch.rand(3, 8, 8).repeat(600, 1, 1, 1)
    changed = step(probability)(images.clone())
    share = (changed != images).flatten(1).any(dim=1).float().mean()
    error = (probability * (1 - probability) / 600) ** 0.5
    assert abs(share - probability) <= 4 * error


def test_normalising() -> None:
    mean, std = (0.2, 0.5, 0.7), (0.1, 0.2, 0.3)
    expected = functional.normalize(batch(), list(mean), list(std))
    torch.testing.assert_close(Normalize(mean, std)(batch()), expected)


def test_without_kornia_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kornia", None)
    with pytest.raises(
        ImportError, match=r"kornia: install it \(the extra batched\).*per_sa"
    ):
        batched_steps.kornia()
