from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from lightly.transforms import GaussianBlur, RandomSolarization
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import InterpolationMode, functional

from avalanche_pnr.transforms import make_ssl_transform

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
CIFAR = {"mean": (0.49, 0.48, 0.45), "std": (0.25, 0.24, 0.26)}
WHITE = Image.new("RGB", (8, 8), (255, 255, 255))
GREY = Image.new("RGB", (8, 8), (128, 128, 128))
RED = Image.new("RGB", (8, 8), (200, 40, 40))
DRAWS = 300

View = Callable[[Any], Tensor]


def noise() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    return Image.fromarray(pixels)


def draw(view: View, image: Image.Image) -> Tensor:
    """Many views of an image, (DRAWS, C, H, W)."""
    return torch.stack([view(image) for _ in range(DRAWS)])


def seed(torch_seed: int, numpy_seed: int) -> None:
    torch.manual_seed(torch_seed)
    np.random.seed(numpy_seed)  # noqa: NPY002


@pytest.mark.parametrize("size", [8, 20])
def test_two_views_of_the_given_size(size: int) -> None:
    views = make_ssl_transform(size, **CIFAR)(noise())
    assert views.shape == (2, 3, size, size)
    assert not torch.equal(views[0], views[1])


def test_the_steps_come_in_the_published_order() -> None:
    for view in make_ssl_transform(8, **PLAIN).transforms:
        assert [type(step) for step in view.transforms] == [
            transforms.RandomResizedCrop,
            transforms.RandomApply,
            transforms.RandomGrayscale,
            GaussianBlur,
            RandomSolarization,
            transforms.RandomHorizontalFlip,
            transforms.ToTensor,
            transforms.Normalize,
        ]


def solarized(view: View) -> int:
    """A white image stays above 0.6 under jitter, and below 0.4 if it is solarised."""
    return int((draw(view, WHITE).amax(dim=(1, 2, 3)) < 0.5).sum())


def test_solarisation_has_a_probability_for_each_view() -> None:
    first, second = make_ssl_transform(4, solarize=(0.0, 1.0), **PLAIN).transforms
    assert (solarized(first), solarized(second)) == (0, DRAWS)
    first, second = make_ssl_transform(4, solarize=(1.0, 0.0), **PLAIN).transforms
    assert (solarized(first), solarized(second)) == (DRAWS, 0)


def test_the_default_solarises_a_fifth_of_the_second_views() -> None:
    first, second = make_ssl_transform(4, **PLAIN).transforms
    assert solarized(first) == 0
    assert 0.14 < solarized(second) / DRAWS < 0.26


@pytest.mark.parametrize(
    ("blur", "shares"),
    [
        ((0.0, 1.0), (0, 1)),
        ((1.0, 0.0), (1, 0)),
        ((1.0, 0.1), (1, 0.1)),
        (None, (0, 0)),
    ],
)
def test_blur_has_a_probability_for_each_view_and_its_sigmas(
    blur: Any, shares: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    radii: list[float] = []
    plain = Image.Image.filter

    def spy(image: Image.Image, kernel: Any) -> Image.Image:
        radii.append(kernel.radius)
        return plain(image, kernel)

    monkeypatch.setattr(Image.Image, "filter", spy)
    options = {} if blur is None else {"blur": blur}
    views = make_ssl_transform(4, **options, **PLAIN)
    for view, share in zip(views.transforms, shares, strict=True):
        radii.clear()
        draw(view, GREY)
        assert len(radii) / DRAWS == pytest.approx(share, abs=0.06 * (0 < share < 1))
        assert all(0.1 <= radius <= 2.0 for radius in radii)
        if share == 1:
            assert min(radii) < 0.2
            assert max(radii) > 1.9


@pytest.mark.parametrize("min_scale", [0.08, 0.5])
def test_crops_are_bicubic_and_keep_the_least_share(
    min_scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    areas: list[float] = []
    modes = set()
    plain = functional.resized_crop

    def spy(
        image: Any, i: int, j: int, h: int, w: int, *rest: Any, **options: Any
    ) -> Any:
        areas.append(h * w / 40**2)
        modes.add(rest[1])
        return plain(image, i, j, h, w, *rest, **options)

    monkeypatch.setattr(functional, "resized_crop", spy)
    options = {} if min_scale == 0.08 else {"min_scale": min_scale}
    views = make_ssl_transform(8, **options, **PLAIN)
    for view in views.transforms:
        areas.clear()
        draw(view, noise())
        # Sides are rounded to pixels.
        assert len(areas) == DRAWS
        assert min_scale - 0.02 < min(areas) < min_scale + 0.05
        assert 0.9 < max(areas) <= 1
    assert modes == {InterpolationMode.BICUBIC}


def test_most_views_are_jittered_within_the_published_strength() -> None:
    for view in make_ssl_transform(4, solarize=(0, 0), **PLAIN).transforms:
        levels = draw(view, GREY).mean(dim=(1, 2, 3)) * 255 / 128
        assert 0.73 < (levels - 1).abs().gt(0.005).float().mean() < 0.87
        assert 0.59 < levels.min() < 0.65
        assert 1.35 < levels.max() < 1.41
        (jitter,) = view.transforms[1].transforms
        assert jitter.brightness == jitter.contrast == (0.6, 1.4)
        assert (jitter.saturation, jitter.hue) == ((0.8, 1.2), (-0.1, 0.1))


def test_a_fifth_of_the_views_are_grey() -> None:
    for view in make_ssl_transform(4, **PLAIN).transforms:
        views = draw(view, RED)
        grey = (views.amax(dim=1) - views.amin(dim=1)).amax(dim=(1, 2)) < 0.01
        assert 0.14 < grey.float().mean() < 0.26


def test_half_of_the_views_are_flipped() -> None:
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:, 4:] = 255
    image = Image.fromarray(pixels)
    views = make_ssl_transform(8, min_scale=1.0, solarize=(0, 0), **PLAIN)
    for view in views.transforms:
        sides = draw(view, image).mean(dim=(1, 2))
        flipped = sides[:, 0] > sides[:, -1]
        assert 0.42 < flipped.float().mean() < 0.58


def test_the_channels_are_normalised() -> None:
    options = {"solarize": (0.5, 0.5), "blur": (0.5, 0.5)}
    seed(1, 1)
    plain = make_ssl_transform(8, **options, **PLAIN)(noise())
    seed(1, 1)
    actual = make_ssl_transform(8, **options, **CIFAR)(noise())
    mean, std = (torch.tensor(CIFAR[key])[:, None, None] for key in ("mean", "std"))
    assert torch.allclose(actual, (plain - mean) / std, atol=1e-6)


def test_the_seeds_of_torch_and_numpy_determine_the_views() -> None:
    views = make_ssl_transform(8, blur=(1.0, 1.0), **CIFAR)

    def drawn(torch_seed: int, numpy_seed: int) -> Tensor:
        seed(torch_seed, numpy_seed)
        return torch.stack([views(noise()) for _ in range(3)])

    once = drawn(1, 1)
    assert torch.equal(drawn(1, 1), once)
    assert not torch.equal(drawn(2, 1), once)
    assert not torch.equal(drawn(1, 2), once)


def test_each_probability_belongs_to_one_of_two_views() -> None:
    with pytest.raises(ValueError, match="blur must be two probabilities"):
        make_ssl_transform(8, blur=(0.5,), **CIFAR)  # type: ignore[arg-type]
