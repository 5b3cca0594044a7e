from collections import Counter
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter, ImageOps
from sklearn.datasets import load_sample_image
from torch import Tensor
from torchvision.transforms import functional

from avalanche_pnr.transforms import colours, pieces
from avalanche_pnr.transforms.batched_steps import (
    Blur,
    Greyscale,
    Jitter,
    Normalize,
    PerImageApply,
    Solarize,
)
from avalanche_pnr.transforms.colours import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
    adjust_colours,
    turn_hue,
)

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


ADJUST: list[Callable[..., Any]] = [
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
    functional.adjust_hue,
]


@pytest.mark.parametrize(
    ("number", "factors"),
    [
        (BRIGHTNESS, (0.6, 1.0, 1.4)),
        (CONTRAST, (0.6, 1.0, 1.4)),
        (SATURATION, (0.8, 1.0, 1.2)),
        (HUE, (-0.1, 0.0, 0.1)),
    ],
)
def test_colours_change_by_each_images_factor_as_in_torchvision(
    number: int, factors: tuple[float, ...]
) -> None:
    changed, by = batch(3), torch.full((4, 3), float("nan"))
    by[number] = torch.tensor(factors)
    adjust_colours(changed, by, torch.full((3, 1), number))
    for ours, factor in zip(changed, factors, strict=True):
        assert_like_pil(ours, ADJUST[number](FLOWER, factor), mean=1.5)


def test_each_image_changes_in_the_order_that_it_was_given() -> None:
    orders = torch.tensor([*permutations(range(4))])
    factors = torch.tensor([0.7, 1.4, 1.2, -0.1])
    changed = batch(24)
    adjust_colours(changed, factors[:, None].expand(4, 24), orders)
    for ours, order in zip(changed, orders.tolist(), strict=True):
        expected = batch()
        for number in order:
            expected = ADJUST[number](expected, factors[number].item())
        assert (ours - expected[0]).abs().max() < 2e-3
    assert len(changed.flatten(1).unique(dim=0)) == 24


def test_hues_turn_as_in_torchvision() -> None:
    images, turns = torch.rand(40, 3, 6, 6), torch.rand(40) - 0.5
    turned = images.clone()
    turn_hue(turned, turns)
    for ours, image, turn in zip(turned, images, turns, strict=True):
        theirs = functional.adjust_hue(image, turn.item())
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)
    grey = torch.rand(2, 1, 6, 6).repeat(1, 3, 1, 1)
    turned = grey.clone()
    turn_hue(turned, turns[:2])
    torch.testing.assert_close(turned, grey)


def test_factors_cover_their_ranges() -> None:
    factors, _ = Jitter(ALWAYS, (0.4, 1.2, 0.2, 0.1)).draw(2000)
    for found, (low, high) in zip(
        factors, [(0.6, 1.4), (0, 2.2), (0.8, 1.2), (-0.1, 0.1)], strict=True
    ):
        span = high - low
        assert len(found) == 2000
        assert low <= found.min() < low + 0.02 * span
        assert high - 0.02 * span < found.max() <= high
        assert abs(found.mean() - (low + high) / 2) < 0.03 * span
        assert abs(found.std() - span / 12**0.5) < 0.02 * span


def test_each_image_has_an_order_of_its_own() -> None:
    _, orders = Jitter(ALWAYS, (0.4, 0.4, 0.2, 0.1)).draw(4800)
    counts = Counter(map(tuple, orders.tolist()))
    assert set(counts) == set(permutations(range(4)))
    assert all(140 < count < 260 for count in counts.values())  # of 200


def test_changes_without_strength_are_not_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jitter = Jitter(ALWAYS, (0.0, 0.4, 0.0, 0.0))
    assert jitter.draw(5)[1].tolist() == [[CONTRAST]] * 5
    monkeypatch.setattr(colours, "turn_hue", None)
    assert jitter(batch(5)).shape == (5, 3, 64, 64)
    still = Jitter(ALWAYS, (0.0, 0.0, 0.0, 0.0))
    assert torch.equal(still(batch(2)), batch(2))


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed() -> list[Tensor]:
        torch.manual_seed(0)
        images = torch.rand(9, 3, 16, 16)
        steps = Jitter(0.8, (0.4, 0.4, 0.2, 0.1)), Blur(0.8, (0.1, 2.0))
        return [step(images.clone()) for step in steps]

    whole = changed()
    monkeypatch.setattr(pieces, "PIECE", 3 * 3 * 16 * 16)
    for one, other in zip(whole, changed(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("numbers", "lengths"), [(5, [1] * 4), (36, [3, 1])])
def test_pieces_are_whole_images_however_large(
    numbers: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", numbers)
    images = torch.rand(7, 3, 2, 2)
    rows = [torch.arange(4)[part] for part in pieces.pieces(images, 4)]
    assert [len(part) for part in rows] == lengths
    assert torch.cat(rows).tolist() == [0, 1, 2, 3]


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
    step: Callable[[float], PerImageApply], probability: float
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
