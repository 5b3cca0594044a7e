import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

from avalanche_pnr.transforms import make_eval_transform

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
CIFAR = {"mean": (0.49, 0.48, 0.45), "std": (0.25, 0.24, 0.26)}


def noise(height: int, width: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def test_the_plain_view_is_the_normalised_image() -> None:
    image = noise(40, 40)
    mean, std = (torch.tensor(CIFAR[key])[:, None, None] for key in ("mean", "std"))
    expected = (transforms.ToTensor()(image) - mean) / std
    assert torch.allclose(make_eval_transform(**CIFAR)(image), expected, atol=1e-6)


def test_the_plain_view_is_resized_before_its_centre_is_cut() -> None:
    image = noise(40, 60)
    assert make_eval_transform(resize=20, **PLAIN)(image).shape == (3, 20, 30)
    assert make_eval_transform(crop=16, **PLAIN)(image).shape == (3, 16, 16)
    resized = functional.resize(image, 20)
    expected = transforms.ToTensor()(functional.center_crop(resized, 16))
    actual = make_eval_transform(resize=20, crop=16, **PLAIN)(image)
    assert torch.equal(actual, expected)
