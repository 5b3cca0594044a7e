import math

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor
from torchvision.transforms import InterpolationMode, RandomResizedCrop, functional

from avalanche_pnr.transforms.random_crops import (
    RandomResizedCrops,
    draw_boxes,
    resize_by_products,
    resize_matrices,
    resize_one_by_one,
)

FLOWER = load_sample_image("flower.jpg")[:240, 200:520]


def cropped(box: tuple[int, int, int, int], size: int) -> tuple[Tensor, Tensor]:
    """A crop of the flower by the matrices and by PIL, in levels of 0..255."""
    top, left, h, w = (torch.tensor([float(each)]) for each in box)
    height, width, _ = FLOWER.shape
    pixels = torch.tensor(FLOWER).permute(2, 0, 1).float()
    rows, columns = (
        resize_matrices(top, h, height, size),
        resize_matrices(left, w, width, size),
    )
    ours = (rows @ pixels @ columns.mT).clamp(0, 255)
    theirs = functional.resized_crop(
        Image.fromarray(FLOWER), *box, [size, size], InterpolationMode.BICUBIC
    )
    return ours, torch.tensor(np.asarray(theirs)).permute(2, 0, 1).float()


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((3, 5, 20, 24), 32),  # enlarged
        ((0, 0, 240, 320), 32),  # reduced: antialiased
        ((100, 30, 64, 64), 64),
        ((7, 200, 11, 100), 40),  # both
        ((239, 319, 1, 1), 4),
    ],
)
def test_crops_are_those_of_pil(box: tuple[int, int, int, int], size: int) -> None:
    ours, theirs = cropped(box, size)
    difference = (ours - theirs).abs()
    assert difference.mean() < 0.4  # of the rounding
    assert difference.max() < 4
    assert (ours - theirs).mean().abs() < 0.05


def test_a_crop_knows_nothing_of_what_is_around_it() -> None:
    matrix = resize_matrices(torch.tensor([10.0]), torch.tensor([6.0]), 30, 12)
    assert matrix[..., :10].abs().max() == matrix[..., 16:].abs().max() == 0
    torch.testing.assert_close(matrix.sum(-1), torch.ones(1, 12))


@pytest.mark.parametrize("shape", [(32, 32), (60, 40), (10, 50), (50, 10)])
def test_boxes_have_torchvisions_distribution(shape: tuple[int, int]) -> None:
    draws, scale = 3000, (0.08, 1.0)
    ours = draw_boxes(draws, *shape, scale)
    image = torch.zeros(1, *shape)
    theirs = torch.tensor(
        [
            RandomResizedCrop.get_params(image, list(scale), [3 / 4, 4 / 3])
            for _ in range(draws)
        ]
    ).T.float()
    for boxes in (ours, theirs):
        top, left, h, w = boxes
        assert min(top.min(), left.min()) >= 0
        assert (top + h).max() <= shape[0]
        assert (left + w).max() <= shape[1]
    for moment in (lambda b: b, lambda b: b**2, lambda b: b[2:].prod(0).sqrt()[None]):
        a, b = moment(ours), moment(theirs)
        error = ((a.var(1) + b.var(1)) / draws).sqrt()
        assert ((a.mean(1) - b.mean(1)).abs() <= 4 * error + 1e-6).all()


def test_each_image_has_a_crop_of_its_own_and_half_are_mirrored() -> None:
    ramp = torch.linspace(0, 1, 16).expand(600, 3, 16, 16)
    crops = RandomResizedCrops(8, (0.3, 1.0), flip=0.5)(ramp)
    assert crops.shape == (600, 3, 8, 8)
    assert len(crops.flatten(1).unique(dim=0)) > 100
    mirrored = (crops[:, 0, 0, 0] > crops[:, 0, 0, -1]).float().mean()
    assert abs(mirrored - 0.5) < 4 * math.sqrt(0.25 / 600)


def test_whole_images_are_kept_at_scale_one() -> None:
    images = torch.rand(50, 3, 12, 12)
    crops = RandomResizedCrops(12, (1.0, 1.0), flip=0.0)(images)
    whole = (crops - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert whole.any()  # a square crop of the whole area


@pytest.mark.parametrize(
    ("shape", "size"), [((8, 8), 8), ((32, 20), 24), ((60, 80), 20), ((90, 70), 96)]
)
def test_both_ways_to_resize_give_the_same_crops(
    shape: tuple[int, int], size: int
) -> None:
    images = torch.rand(30, 3, *shape)
    boxes = draw_boxes(30, *shape, (0.08, 1.0))
    flipped = torch.rand(30) < 0.5
    one, other = (
        resize(images, boxes, flipped, size)
        for resize in (resize_one_by_one, resize_by_products)
    )
    assert one.shape == (30, 3, size, size)
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
