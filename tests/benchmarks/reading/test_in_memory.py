import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from avalanche_pnr.benchmarks import ArrayImages, FileImages, ImageData
from avalanche_pnr.benchmarks.reading import in_memory as memory
from avalanche_pnr.benchmarks.reading.in_memory import in_memory

ArrayOf = np.ndarray[Any, Any]


def pixels(images: int, height: int, width: int) -> ArrayOf:
    shape = images, height, width, 3
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def arrays(images: int = 5, height: int = 6, width: int = 8) -> ArrayImages:
    return ArrayImages(pixels(images, height, width), np.arange(images))


@pytest.fixture
def files(tmp_path: Path) -> FileImages:
    """Images of 12x20 and 20x12 px, in turn."""
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        sides = (12, 20) if number % 2 else (20, 12)
        Image.fromarray(pixels(6, *sides)[number]).save(path)
    return FileImages(paths, [0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1])


def test_an_image_of_an_array_is_any_pil_image() -> None:
    images = arrays()
    image, label = images[3]
    assert isinstance(image, Image.Image)
    assert (label, image.size, image.mode) == (3, (8, 6), "RGB")
    expected = Image.fromarray(images.x[3])
    assert np.array_equal(np.asarray(image), images.x[3])
    assert images[3][0].tobytes() == expected.tobytes()
    assert images[3][0].convert("L").tobytes() == expected.convert("L").tobytes()
    assert images[3][0].getpixel((7, 5)) == expected.getpixel((7, 5))
    assert images[3][0].resize((3, 3)).tobytes() == expected.resize((3, 3)).tobytes()
    assert images[3][0].copy() == expected
    assert images[3][0].crop((0, 0, 2, 2)).tobytes() == images.x[3, :2, :2].tobytes()


def test_an_image_of_an_array_survives_a_process() -> None:
    image = pickle.loads(pickle.dumps(arrays()[2][0]))
    assert np.array_equal(np.asarray(image), arrays().x[2])


def test_bytes_are_the_arrays_own() -> None:
    images = arrays()
    rows = images.bytes([4, 1, 4])
    assert rows.dtype == torch.uint8
    assert np.array_equal(rows.permute(0, 2, 3, 1), images.x[[4, 1, 4]])
    images.x[1] = 7
    assert images.bytes([1]).unique().tolist() == [7]


def test_files_are_read_resized_and_cropped_once(files: FileImages) -> None:
    held = in_memory(files, size=10)
    assert held.x.shape == (6, 10, 10, 3)
    assert (held.targets, held.domains) == (files.targets, files.domains)
    resize = Compose([Resize(10), CenterCrop(10)])
    for index in range(6):
        assert np.array_equal(held.x[index], np.asarray(resize(files[index][0])))


def test_arrays_stay_what_they_are() -> None:
    images = arrays()
    assert in_memory(images).x is images.x
    assert in_memory(images, size=4).x.shape == (5, 4, 4, 3)


def test_images_of_different_sizes_need_a_size(files: FileImages) -> None:
    with pytest.raises(ValueError, match=r"12x20 px, image 0 20x12.*in_memory\(size"):
        in_memory(files)


def test_images_that_do_not_fit_are_refused_before_they_are_read(
    files: FileImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 1_000_000)
    assert len(in_memory(files, size=16)) == 6
    with pytest.raises(
        ValueError, match=r"6 images of 400x400 px take 0.00288 GB, and 0.001"
    ):
        in_memory(files, size=400)


def test_free_memory_is_that_of_this_machine() -> None:
    assert 1e6 < memory.free_memory("cpu") < 1e14


def test_only_training_images_move(files: FileImages) -> None:
    test = files.subset(range(6))
    data = ImageData.from_images("files", files, test).in_memory(size=8)
    assert isinstance(data.train, ArrayImages)
    assert data.test is test
    assert data.class_names == ("0", "1", "2")
    assert data.probe_images is data.train
