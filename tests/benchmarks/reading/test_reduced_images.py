"""Large JPEG files are decoded smaller, where no view can tell."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from avalanche_pnr import data_incremental, make_eval_transform, make_ssl_transform
from avalanche_pnr.benchmarks import FileImages, ImageData
from avalanche_pnr.benchmarks.reading.shard_images import ShardImages
from avalanche_pnr.benchmarks.reading.shard_index import index_shards
from avalanche_pnr.benchmarks.streams.raw_images import raw_images
from avalanche_pnr.transforms.reduction import Reduction
from tests.benchmarks.shards import write

GREY: Any = {"mean": (0.5,) * 3, "std": (0.3,) * 3}
VIEWS = make_ssl_transform(16, min_scale=1.0, **GREY)
PLAIN = make_eval_transform(resize=16, crop=16, **GREY)


def photograph(path: Path, width: int = 160, height: int = 96, **options: Any) -> Path:
    """Write a smooth picture, dark at its upper left."""
    x = np.linspace(0, 120, width)[None] + np.linspace(0, 120, height)[:, None]
    pixels = np.repeat(x[..., None], 3, axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def read(path: Path) -> Image.Image:
    reduction = Reduction.for_transforms(VIEWS, PLAIN)
    return FileImages([path], [0]).reduced(reduction)[0][0]


def test_a_large_photograph_is_decoded_at_a_half(tmp_path: Path) -> None:
    path = photograph(tmp_path / "photo.jpg", quality=95)
    image = read(path)
    assert image.size == (80, 48)
    whole = FileImages([path], [0])[0][0].resize((80, 48))
    assert np.abs(np.asarray(image, int) - np.asarray(whole, int)).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp"])
def test_other_files_stay_as_they_are(tmp_path: Path, suffix: str) -> None:
    assert read(photograph(tmp_path / f"image.{suffix}")).size == (160, 96)


def test_small_photographs_stay_as_they_are(tmp_path: Path) -> None:
    path = photograph(tmp_path / "photo.jpg", 60, 60)
    assert np.array_equal(read(path), FileImages([path], [0])[0][0])


def test_a_reduced_photograph_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = read(photograph(tmp_path / "photo.jpg", exif=exif))
    assert image.size == (48, 80)
    corners = [image.getpixel(xy)[0] for xy in ((47, 0), (0, 79))]
    assert corners[0] < 10 < 220 < corners[1]


def test_a_damaged_large_photograph_is_named(tmp_path: Path) -> None:
    path = photograph(tmp_path / "photo.jpg")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(OSError, match=r"photo\.jpg cannot be read as an image"):
        read(path)


def test_streams_read_what_their_views_need(tmp_path: Path) -> None:
    paths = [photograph(tmp_path / f"{number}.jpg") for number in range(4)]
    images = FileImages(paths, [0, 1, 0, 1])
    data = ImageData.from_images("here", images, images)
    stream = data_incremental(
        data, n_experiences=2, train_transform=VIEWS, eval_transform=PLAIN
    ).train_stream
    for experience in stream:
        image, *_ = raw_images(experience.dataset, "train")[0]
        assert image.size == (80, 48)
    assert images[0][0].size == data.train[0][0].size == (160, 96)


def test_images_inside_tar_files_are_reduced_too(tmp_path: Path) -> None:
    pytest.importorskip("webdataset")
    content = photograph(tmp_path / "photo.jpg").read_bytes()
    shard = str(write(tmp_path / "shard.tar", [{"jpg": content}] * 2))
    images = ShardImages([shard], index_shards([shard], "jpg", None))
    reduction = Reduction.for_transforms(VIEWS, PLAIN)
    assert images.reduced(reduction).subset([1])[0][0].size == (80, 48)
    assert images.subset([1])[0][0].size == (160, 96)
