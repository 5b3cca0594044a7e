import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.utils.data import default_collate

from avalanche_pnr import BatchedViews, make_ssl_transform
from avalanche_pnr.transforms.batched import DeferredViews, Step
from avalanche_pnr.transforms.batched_steps import (
    Blur,
    Greyscale,
    Jitter,
    Normalize,
    Solarize,
)
from avalanche_pnr.transforms.random_crops import RandomResizedCrops

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def photographs(size: int, each: int) -> list[Image.Image]:
    """Parts of two photographs."""
    rng = np.random.default_rng(0)
    parts = []
    for photograph in load_sample_images().images:
        for _ in range(each):
            top, left = rng.integers(0, 300, 2)
            part = photograph[top : top + 120, left : left + 120]
            parts.append(Image.fromarray(part).resize((size, size)))
    return parts


def figures(views: Tensor) -> Tensor:
    """Colours and detail of each view: (N, 14)."""
    detail = [views.diff(dim=d).square().mean(dim=(1, 2, 3)) for d in (-1, -2)]
    red, green, blue = views.unbind(1)
    colours = [(red - green).abs(), (green - blue).abs(), (blue - red).abs()]
    middle = views.shape[-1] // 2
    edges = [views[..., 0].mean(dim=(1, 2)), views[..., middle].mean(dim=(1, 2))]
    grey = (red == green) & (green == blue)
    return torch.stack(
        [
            *views.mean(dim=(2, 3)).unbind(1),
            *views.std(dim=(2, 3)).unbind(1),
            *(each.mean(dim=(1, 2)) for each in colours),
            *detail,
            *edges,
            grey.flatten(1).all(dim=1).float(),
        ],
        dim=1,
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_scale": 0.3, "blur": (0.5, 0.1), "solarize": (0.3, 0.0)},
        {"jitter_probability": 0.0, "flip": 0.0, "blur": (1.0, 0.0)},
    ],
)
@pytest.mark.parametrize(("source", "size"), [(32, 32), (60, 24)])
def test_views_have_the_distribution_of_those_of_single_images(
    options: dict[str, Any], source: int, size: int
) -> None:
    images, rounds = photographs(source, 100), 4
    single = make_ssl_transform(size, **PLAIN, **options)
    batched = make_ssl_transform(size, batched=True, **PLAIN, **options)
    one = torch.cat([torch.stack([single(i) for i in images]) for _ in range(rounds)])
    all_ = torch.cat([default_collate([*map(batched, images)]) for _ in range(rounds)])
    assert one.shape == all_.shape == (800, 2, 3, size, size)
    for view in range(2):
        a, b = figures(one[:, view]), figures(all_[:, view])
        for moment in (lambda x: x, lambda x: x.square()):
            x, y = moment(a), moment(b)
            error = ((x.var(dim=0) + y.var(dim=0)) / len(x)).sqrt()
            assert ((x - y).mean(dim=0).abs() <= 4 * error + 0.002).all()


def test_the_steps_have_the_parameters_of_the_recipe() -> None:
    views = make_ssl_transform(
        16,
        batched=True,
        mean=(0.1, 0.2, 0.3),
        std=(0.4, 0.5, 0.6),
        min_scale=0.3,
        blur=(0.9, 0.1),
        solarize=(0.2, 0.3),
        jitter=(0.4, 0.3, 0.2, 0.1),
        jitter_probability=0.7,
        greyscale=0.25,
        blur_sigma=(0.5, 1.5),
        flip=0.4,
    )
    for steps, blur, solarize in ((views.first, 0.9, 0.2), (views.second, 0.1, 0.3)):
        assert steps == (
            RandomResizedCrops(16, (0.3, 1.0), 0.4),
            Jitter(0.7, (0.4, 0.3, 0.2, 0.1)),
            Greyscale(0.25),
            Blur(blur, (0.5, 1.5)),
            Solarize(solarize),
            Normalize((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
        )


def test_views_differ_between_images_and_follow_the_seed() -> None:
    images, views = (
        photographs(32, 2)[:1] * 4,
        make_ssl_transform(16, batched=True, **PLAIN),
    )
    torch.manual_seed(1)
    first = default_collate([*map(views, images)])
    assert first.shape == (4, 2, 3, 16, 16)
    assert len(first.flatten(0, 1).unique(dim=0)) == 8
    torch.manual_seed(1)
    torch.testing.assert_close(default_collate([*map(views, images)]), first)
    assert not torch.equal(default_collate([*map(views, images)]), first)


def test_steps_that_the_views_share_change_both_at_once() -> None:
    seen: list[int] = []

    def shared(images: Tensor) -> Tensor:
        seen.append(len(images))
        return images[..., :4]

    def add(value: float) -> Step:
        return lambda images: images.add_(value)

    double = [lambda images: images * 2]
    views = BatchedViews((shared, add(1), shared), (shared, add(2), shared, *double))
    x = views.draw(torch.zeros(3, 3, 8, 8, dtype=torch.uint8))
    assert seen == [6, 6]
    assert x.shape == (3, 2, 3, 8, 4)
    assert (x[:, 0] == 1).all()
    assert (x[:, 1] == 4).all()


def test_images_are_not_written_to() -> None:
    views = make_ssl_transform(16, batched=True, jitter_probability=1.0, **PLAIN)
    pixels = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    kept = pixels.clone()
    views.draw(pixels)
    assert torch.equal(pixels, kept)


def test_samples_keep_their_labels_in_a_batch() -> None:
    views = make_ssl_transform(16, batched=True, **PLAIN)
    samples = [(views(image), label) for label, image in enumerate(photographs(32, 3))]
    x, y = default_collate(samples)
    assert x.shape == (6, 2, 3, 16, 16)
    assert y.tolist() == [0, 1, 2, 3, 4, 5]


def test_images_of_other_views_may_be_in_the_batch() -> None:
    def step(value: float) -> BatchedViews:
        return BatchedViews((lambda x: x * 0 + value,), (lambda x: x * 0 - value,))

    image = photographs(8, 1)[0]
    a, b = step(1.0), step(2.0)
    x = default_collate([a(image), a(image), b(image), a(image)])
    assert x[:, 0, 0, 0, 0].tolist() == [1, 1, 2, 1]
    assert x[:, 1, 0, 0, 0].tolist() == [-1, -1, -2, -1]


def test_views_survive_copies_and_files() -> None:
    views = make_ssl_transform(16, batched=True, **PLAIN)
    assert copy.deepcopy(views) == views
    assert pickle.loads(pickle.dumps(views)) == views


def test_images_of_different_sizes_are_refused() -> None:
    views = make_ssl_transform(16, batched=True, **PLAIN)
    waiting = [views(image) for image in (*photographs(32, 1), *photographs(40, 1))]
    assert isinstance(waiting[0], DeferredViews)
    with pytest.raises(ValueError, match=r"32x32 px and 40x40 px.*in_memory\(size"):
        default_collate(waiting)
