import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avalanche_pnr.benchmarks import ArrayImages, ImageData, load_digits, load_npz
from avalanche_pnr.benchmarks.reading.duplicates import equal_files, equal_pixels
from tests.benchmarks.datasets.test_npz import SHARED


def _arrays(images: list[int]) -> tuple[Any, Any]:
    pixels = np.array(images, np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(pixels, (len(images), 4, 4, 3)), np.arange(len(images)) % 2


def test_duplicates_in_arrays_are_counted_with_an_example() -> None:
    message = (
        r"^here: 2 test images are also in the training data \(test image 0 equals "
        r"training image 2\)"
    )
    with pytest.warns(UserWarning, match=message):
        data = ImageData.from_arrays("here", _arrays([1, 2, 3, 2]), _arrays([3, 5, 2]))
    assert data.duplicates == 2


def test_duplicates_within_one_split_do_not_count() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = ImageData.from_arrays("here", _arrays([1, 1, 1]), _arrays([2, 2]))
    assert data.duplicates == 0


def test_duplicates_are_not_looked_for_if_not_asked() -> None:
    arrays = _arrays([1, 2, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = ImageData.from_arrays("here", arrays, arrays, check_duplicates=False)
    assert data.duplicates is None


def test_images_of_other_shapes_are_no_duplicates() -> None:
    black = np.zeros((1, 4, 4, 3), np.uint8)
    wide = black.reshape(1, 2, 8, 3)
    label = np.zeros(1, int)
    assert equal_pixels(ArrayImages(black, label), ArrayImages(wide, label)) == []
    assert len(equal_pixels(ArrayImages(black, label), ArrayImages(black, label))) == 1


def _file(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_files_are_equal_by_content_and_not_by_size_or_name(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    contents = {"a": b"12345", "b": b"12346", "c": b"123"}
    train = [_file(tmp_path / "train", *item) for item in contents.items()]
    test = [
        _file(tmp_path / "test", "a", b"54321"),
        _file(tmp_path / "test", "other", b"12346"),
        _file(tmp_path / "test", "c", b"1234"),
    ]
    assert equal_files(train, test) == [(test[1], train[1])]


def test_a_lost_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    here = _file(tmp_path, "here.png", b"12345")
    lost = str(tmp_path / "lost.png")
    for train, test in (([here, lost], [here]), ([here], [here, lost])):
        with pytest.raises(OSError, match=rf"^{lost} cannot .*skip_damaged=True"):
            equal_files(train, test)


def test_probe_images_count_as_training_images() -> None:
    train, probe, test = (
        ArrayImages(*_arrays(images)) for images in ([1, 2], [3, 4], [4, 2, 5, 5])
    )
    data = ImageData.from_images("here", train, test, probe=probe)
    with pytest.warns(UserWarning, match=r"2 test .*test image 0 equals probe image 1"):
        assert data.compared("here").duplicates == 2


def test_digits_have_no_duplicates() -> None:
    assert load_digits().duplicates == 0


@pytest.mark.parametrize("name", ["cifar100_mini", "pacs_mini64", "digits3_mini32"])
def test_shared_data_has_no_duplicates(name: str) -> None:
    path = SHARED / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the shared data")
    assert load_npz(path).duplicates == 0
