"""Images are decoded no smaller than their views need them."""

from typing import Any

import pytest
import torch
from torchvision import transforms
from torchvision.transforms import (
    CenterCrop,
    Compose,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToTensor,
)

from avalanche_pnr import TwoViews, make_eval_transform, make_ssl_transform
from avalanche_pnr.transforms import cropped_view
from avalanche_pnr.transforms.reduction import Reduction

GREY: Any = {"mean": (0.5,) * 3, "std": (0.3,) * 3}


@pytest.mark.parametrize(
    ("width", "height", "min_scale"),
    [
        *((4000, 3000, 0.08), (4000, 3000, 0.5), (900, 4000, 1.0)),
        *((5000, 700, 0.2), (300, 300, 0.08), (640, 480, 0.9), (90, 60, 0.08)),
    ],
)
def test_no_crop_that_is_drawn_has_fewer_pixels_than_its_view(
    width: int, height: int, min_scale: float
) -> None:
    size = 64
    views = make_ssl_transform(size, min_scale=min_scale, **GREY)
    factor = Reduction.for_transforms(views).factor(width, height)
    image = torch.empty(1, 1, 1).expand(1, height, width)
    draw = RandomResizedCrop.get_params
    scale, ratio = [min_scale] * 2, [3 / 4, 4 / 3]
    crops = torch.tensor([draw(image, scale, ratio)[2:] for _ in range(300)])
    least = float(crops.min())
    assert least / factor >= size - 0.5 or factor == 1  # crops are whole pixels
    assert least / (factor + 1) < 1.03 * size  # and hardly a pixel more is decoded


@pytest.mark.parametrize(
    ("transform", "factor"),
    [
        (RandomResizedCrop(100, (0.25, 1.0), (1.0, 1.0)), 5),
        (RandomResizedCrop((100, 50), (0.25, 1.0), (0.25, 1.0)), 2),
        (make_ssl_transform(100, min_scale=1 / 3, **GREY), 5),
        (make_ssl_transform(100, min_scale=1 / 3, batched=True, **GREY), 5),
        (cropped_view(100, **GREY), 2),
        (Resize(100), 5),
        (Resize((50, 100)), 5),
        (make_eval_transform(resize=125, crop=100, **GREY), 4),
        (TwoViews(Resize(100), Resize(250)), 2),
        (Resize(600), 1),
        # the image's own pixels count, or nobody knows:
        (make_eval_transform(crop=100, **GREY), 1),
        (CenterCrop(100), 1),
        (Compose([ToTensor(), Resize(100)]), 1),
        (Compose([RandomHorizontalFlip(), Resize(100)]), 1),
        (Compose([]), 1),
        (transforms.ToTensor(), 1),
        (torch.as_tensor, 1),
        (TwoViews(Resize(100), ToTensor()), 1),
    ],
)
def test_a_transform_says_what_it_needs(transform: Any, factor: int) -> None:
    assert Reduction.for_transforms(transform).factor(1000, 1000) == factor


def test_several_transforms_get_what_each_of_them_needs() -> None:
    both = Reduction.for_transforms(Resize(100), cropped_view(100, **GREY))
    assert both.factor(1000, 1000) == 2
    assert both.factor(100_000, 100) == 1
