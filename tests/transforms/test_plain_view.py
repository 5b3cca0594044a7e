import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.transforms import functional

from avalanche_pnr import data_incremental, load_digits
from avalanche_pnr.transforms import make_eval_transform, make_ssl_transform

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


def test_whole_batches_get_the_same_numbers() -> None:
    data = load_digits()
    colours = {"mean": (0.3, 0.4, 0.5), "std": (0.2, 0.3, 0.4)}
    single, whole = (
        [
            next(iter(DataLoader(part, len(part), collate_fn=part.collate_fn)))[0]
            for part in (each.dataset for each in stream)
        ]
        for stream in (
            data_incremental(
                data,
                n_experiences=3,
                train_transform=make_ssl_transform(8, batched=True, **colours),
                eval_transform=make_eval_transform(batched=batched, **colours),
            ).test_stream
            for batched in (False, True)
        )
    )
    assert len(single) == 1
    assert single[0].shape == (450, 3, 8, 8)
    for one, other in zip(single, whole, strict=True):
        assert torch.equal(one, other)
        assert one.stride() == other.stride()


@pytest.mark.parametrize("sizes", [{"resize": 8}, {"crop": 8}])
def test_a_batch_is_of_one_size_already(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="have one size already, got resize="):
        make_eval_transform(mean=[0.5] * 3, std=[0.5] * 3, batched=True, **sizes)
