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
from avalanche_pnr.benchmarks.reading.file_images import TooLargeImageError
from avalanche_pnr.benchmarks.reading.formats import is_image
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
    ("largest", "expected"),
    [(255, [0, 100, 255]), (4095, [0, 6, 255]), (4096, [0, 0, 16])],
)
def test_grey_of_fewer_bits_in_16_is_not_dark(
    tmp_path: Path, largest: int, expected: list[int]
) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(np.array([[0, 100, largest]], np.uint16)).save(path)
    image, _ = FileImages([path], [0])[0]
    assert np.asarray(image)[0, :, 0].tolist() == expected


def test_floats_above_1_count_as_whole_numbers(tmp_path: Path) -> None:
    for values, expected in (
        ([[0.0, 1.5, 200.9]], [[0, 1, 200]]),
        ([[0.0, 16.0, 4095.0]], [[0, 1, 255]]),
    ):
        assert _grey(tmp_path / "a.tiff", values, np.float32).tolist() == expected


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
@pytest.mark.parametrize(
    "values", [(-1, 0, 1), (-1000, 1000, 3000), (5, 65536, 131067)]
)
def test_values_without_a_known_white_are_stretched(
    tmp_path: Path, values: tuple[int, ...], dtype: type
) -> None:
    read = _grey(tmp_path / "depth.tiff", [list(values)], dtype)
    assert read.tolist() == [[0, 128, 255]]


def test_an_image_of_one_negative_value_is_black(tmp_path: Path) -> None:
    assert _grey(tmp_path / "depth.tiff", [[-3, -3]], np.int32).tolist() == [[0, 0]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_grey_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(OSError, match=r"depth\.tiff cannot .* not finite"):
        _grey(tmp_path / "depth.tiff", [[0, value]], np.float32)


def test_transparent_pixels_lie_over_white_without_a_warning(tmp_path: Path) -> None:
    rgba = Image.new("RGBA", (4, 4), (250, 0, 0, 128))
    rgba.putpixel((0, 0), (9, 9, 9, 0))
    rgba.save(tmp_path / "image.png")
    rgba.quantize().save(tmp_path / "palette.png")
    for name in ("image.png", "palette.png"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image, _ = FileImages([tmp_path / name], [0])[0]
        assert image.getpixel((2, 2)) == (252, 127, 127)
        assert image.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("orientation", "stored_as"),
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.items(),
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_images_are_turned_as_viewers_turn_them(
    tmp_path: Path, orientation: int, stored_as: Image.Transpose, suffix: str
) -> None:
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :16] = 255  # upper left
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"image.{suffix}"
    stored = Image.fromarray(pixels).transpose(stored_as)
    stored.save(path, exif=exif, quality=100)
    image, _ = FileImages([path], [0])[0]
    assert image.size == (32, 16)
    assert np.abs(np.asarray(image).astype(int) - pixels).max() < 30


def test_damaged_exif_does_not_make_an_image_damaged(tmp_path: Path) -> None:
    path = tmp_path / "image.jpg"
    Image.new("RGB", (5, 4), "white").save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff")
    assert FileImages([path], [0])[0][0].size == (5, 4)


def test_the_first_of_several_frames_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    for suffix in ("gif", "tiff", "png", "webp"):
        path = tmp_path / f"image.{suffix}"
        lossless = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(path, save_all=True, append_images=frames[1:], **lossless)
        assert FileImages([path], [0])[0][0].getpixel((1, 1)) == (255, 0, 0)


def test_cmyk_photographs_keep_their_colours(tmp_path: Path) -> None:
    path = tmp_path / "image.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, quality=100)
    red, green, blue = FileImages([path], [0])[0][0].getpixel((4, 4))
    assert red > 240
    assert max(green, blue) < 15


def test_large_images_have_a_sentence_and_an_option_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.png"
    Image.new("RGB", (30, 20)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    images = FileImages([path], [0])
    message = (
        r"map\.png is too large: 600 pixels.* more than 200 .*data\.max_pixels=600"
    )
    with pytest.raises(TooLargeImageError, match=message) as error:
        images[0]
    assert "damaged" not in str(error.value)
    with pytest.raises(TooLargeImageError):
        without_damaged(images)
    allowed = FileImages([path], [0], max_pixels=600)
    assert allowed.subset([0])[0][0].size == (30, 20)
    assert Image.MAX_IMAGE_PIXELS == 600
    with pytest.raises(TooLargeImageError, match=r"600 pixels.* more than 599 "):
        FileImages([path], [0], max_pixels=599)[0]


FORMATS = Path(__file__).parents[3].parent / "shared" / "cases" / "formats"


@pytest.mark.skipif(not FORMATS.is_dir(), reason="needs the shared inputs of users")
def test_images_that_users_have_are_read() -> None:
    paths = [p for p in sorted(FORMATS.iterdir()) if is_image(p.name)]
    assert len(paths) >= 9
    for image, _ in FileImages(paths, [0] * len(paths)):
        assert image.mode == "RGB"
        assert 5 < np.asarray(image).mean() < 250


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
        n_experiences=3,
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
            n_experiences=1,
            train_transform=VIEWS,
            eval_transform=transforms.ToTensor(),
        )
