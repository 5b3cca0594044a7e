import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from avalanche_pnr import TwoViews
from avalanche_pnr.benchmarks import FileImages, ImageData, data_incremental
from avalanche_pnr.benchmarks.reading.damaged import without_damaged
from tests.benchmarks.conftest import VIEWS, ids_and_labels


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK"])
def test_images_of_any_mode_come_back_as_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"image.{'tiff' if mode == 'CMYK' else 'png'}"
    Image.new("RGB", (5, 4), "white").convert(mode).save(path)
    image, label = FileImages([path], [3])[0]
    assert image.mode == "RGB"
    assert image.size == (5, 4)
    assert (np.asarray(image) == 255).all()
    assert label == 3


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bits_of_grey_are_cut_to_8(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    grey = np.array([[0, 255, 256, 511], [30000, 40000, 65280, 65535]], np.uint16)
    Image.fromarray(grey).save(path)
    image, _ = FileImages([path], [0])[0]
    expected = np.array([[0, 0, 1, 1], [117, 156, 255, 255]], np.uint8)
    assert np.array_equal(image, np.repeat(expected[..., None], 3, axis=2))


def _grey(path: Path, values: list[list[float]], dtype: type) -> np.ndarray:
    """A TIFF's values as they come back, (H, W)."""
    Image.fromarray(np.array(values, dtype)).save(path)
    image, _ = FileImages([path], [0])[0]
    assert image.mode == "RGB"
    return np.asarray(image)[..., 0]


def test_32_bits_of_grey_are_cut_only_if_they_need_it(tmp_path: Path) -> None:
    for values, expected in (
        ([[0, 1], [200, 255]], [[0, 1], [200, 255]]),
        ([[0, 255], [256, 65535]], [[0, 0], [1, 255]]),
    ):
        read = _grey(tmp_path / "image.tiff", values, np.int32)
        assert read.tolist() == expected


def test_fractions_of_white_become_8_bits(tmp_path: Path) -> None:
    values = [[number / 255 for number in range(256)]]
    read = _grey(tmp_path / "image.tiff", values, np.float32)
    assert read.tolist() == [list(range(256))]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (-1, np.int32),
        (65536, np.int32),
        (-0.5, np.float32),
        (200, np.float32),
        (np.nan, np.float32),
    ],
)
def test_values_that_are_no_grey_are_refused(
    tmp_path: Path, value: float, dtype: type
) -> None:
    with pytest.raises(OSError, match=r"depth\.tiff cannot .* must be .*skip_damaged"):
        _grey(tmp_path / "depth.tiff", [[0, value]], dtype)


def test_transparent_palettes_are_read_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.new("RGBA", (4, 4), (250, 0, 0, 128)).quantize().save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image, _ = FileImages([path], [0])[0]
    assert image.getpixel((2, 2)) == (250, 0, 0)


def test_a_subset_keeps_what_belongs_together(tmp_path: Path) -> None:
    images = FileImages(list("abcd"), [5, 6, 7, 8], [0, 0, 1, 1])
    some = images.subset([3, 0])
    assert (some.paths, some.targets, some.domains) == (["d", "a"], [8, 5], [1, 0])
    assert FileImages(list("ab"), [0, 1]).subset([1]).domains == []


def test_damaged_files_are_told_from_good_ones(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        Image.new("RGB", (2, 2), (number,) * 3).save(path)
    for number in (3, 17, 39):
        _truncate(paths[number])
    paths[20].unlink()
    kept, damaged = without_damaged(FileImages(paths, range(40)))
    assert damaged == [str(paths[number]) for number in (3, 17, 20, 39)]
    assert kept.targets == [n for n in range(40) if n not in (3, 17, 20, 39)]
    assert [np.asarray(image)[0, 0, 0] for image, _ in kept] == kept.targets


def test_each_file_has_its_own_label(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.png") for number in range(4)]
    for number, path in enumerate(paths):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(path)
    images = FileImages(paths, (5, 6, 7, 8), (0, 0, 1, 1))
    assert len(images) == 4
    assert [np.asarray(image)[0, 0, 0] for image, _ in images] == [0, 1, 2, 3]
    assert [label for _, label in images] == images.targets == [5, 6, 7, 8]
    assert images.domains == [0, 0, 1, 1]
    assert FileImages(paths, [0] * 4).domains == []


def test_files_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    images = FileImages([tmp_path / "late.png"], [0])
    Image.new("RGB", (2, 2), "red").save(tmp_path / "late.png")
    assert images[0][0].getpixel((0, 0)) == (255, 0, 0)


def _truncate(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: None, id="missing"),
        pytest.param(Path.touch, id="empty"),
        pytest.param(Path.mkdir, id="folder"),
        pytest.param(lambda path: path.write_text("<html>404</html>"), id="text"),
        pytest.param(_truncate, id="truncated"),
    ],
)
def test_an_unreadable_file_is_named(
    tmp_path: Path, suffix: str, spoil: Callable[[Path], object]
) -> None:
    good, bad = tmp_path / f"good.{suffix}", tmp_path / f"bad.{suffix}"
    Image.new("RGB", (2, 2)).save(good)
    spoil(bad)
    images = FileImages([good, bad], [0, 1])
    assert images[0][1] == 0
    with pytest.raises(OSError, match=rf"bad\.{suffix} cannot be read as an image"):
        images[1]


def test_a_png_with_a_damaged_header_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.png"
    Image.new("RGB", (40, 40)).save(path)
    content = bytearray(path.read_bytes())
    content[11] = 0  # the header's length: PIL raises ValueError, not OSError
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"bad\.png cannot be read as an image"):
        FileImages([path], [0])[0]


def test_files_of_many_sizes_become_a_stream(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        Image.new("RGB", (8 + number, 20 - number), (number,) * 3).save(path)
    square = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])
    images = FileImages(paths, [0, 1, 2] * 4)
    benchmark = data_incremental(
        ImageData.from_images("here", images, images),
        experiences=3,
        train_transform=TwoViews(square),
        eval_transform=square,
    )
    for experience in benchmark.train_stream:
        assert {x.shape for x, *_ in experience.dataset} == {(2, 3, 8, 8)}
    samples = [each for exp in benchmark.train_stream for each in ids_and_labels(exp)]
    assert sorted(samples) == [(number, number % 3) for number in range(12)]


def test_a_stream_of_lost_files_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(folder / "0.png")
    images = FileImages([folder / "0.png"], [0])
    data = ImageData.from_images("here", images, images)
    shutil.rmtree(folder)
    with pytest.raises(OSError, match=r"0\.png cannot be read"):
        data_incremental(
            data,
            experiences=1,
            train_transform=VIEWS,
            eval_transform=transforms.ToTensor(),
        )
