import hashlib
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets

from avalanche_pnr import load_cifar10, load_cifar100, load_digits, load_npz
from avalanche_pnr.benchmarks import ImageData, sources

SHARED = Path(__file__).parents[2].parent / "shared"


def _arrays(**changes: Any) -> dict[str, Any]:
    """Arrays of a valid file, 3 classes x (3 training + 1 test) images."""
    x = np.random.default_rng(0).integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)
    arrays = {"x": x, "y": np.arange(12) % 3, "split": np.arange(12) // 9}
    return {**arrays, **changes}


def _save(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def test_digits_are_rgb_images_of_8_px() -> None:
    data = load_digits()
    assert data.train.x.shape[1:] == data.test.x.shape[1:] == (8, 8, 3)
    assert data.train.x.dtype == np.uint8
    assert len(data.train) + len(data.test) == 1797
    assert data.class_names == tuple("0123456789")
    assert (data.train.x[..., 0] == data.train.x[..., 2]).all()
    assert (data.train.x.min(), data.train.x.max()) == (0, 255)


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_digits_are_split_within_each_class(fraction: float) -> None:
    data = load_digits(test_fraction=fraction)
    train, test = np.bincount(data.train.targets), np.bincount(data.test.targets)
    assert np.abs(test - fraction * (train + test)).max() <= 1


def test_the_seed_determines_the_split_of_the_digits() -> None:
    first, again, other = load_digits(seed=1), load_digits(seed=1), load_digits(seed=2)
    assert np.array_equal(first.test.x, again.test.x)
    assert not np.array_equal(first.test.x, other.test.x)


def test_npz_images_go_to_the_split_that_the_file_says(tmp_path: Path) -> None:
    arrays = _arrays()
    data = load_npz(_save(tmp_path / "images.npz", arrays))
    assert np.array_equal(data.train.x, arrays["x"][:9])
    assert np.array_equal(data.test.x, arrays["x"][9:])
    assert data.train.targets == [0, 1, 2] * 3
    assert data.test.targets == [0, 1, 2]


def test_npz_may_be_compressed_and_named_by_a_string(tmp_path: Path) -> None:
    arrays = _arrays()
    np.savez_compressed(tmp_path / "images.npz", **arrays)
    assert np.array_equal(
        load_npz(str(tmp_path / "images.npz")).train.x, arrays["x"][:9]
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({}, ("0", "1", "2")),
        ({"class_names": ["a", "b", "c"]}, ("a", "b", "c")),
        ({"fine_names": ["d", "e", "f"]}, ("d", "e", "f")),
        (
            {"class_names": ["a", "b", "c"], "fine_names": ["d", "e", "f"]},
            ("d", "e", "f"),
        ),
    ],
)
def test_npz_names_are_used(
    tmp_path: Path, names: dict[str, list[str]], expected: tuple[str, ...]
) -> None:
    path = _save(tmp_path / "images.npz", _arrays(**names))
    assert load_npz(path).class_names == expected


def test_a_missing_npz_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz does not exist"):
        load_npz(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("kept", [0, 1, 500, -30])
def test_a_truncated_npz_is_refused(tmp_path: Path, kept: int) -> None:
    path = _save(tmp_path / "images.npz", _arrays())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"images\.npz cannot be read"):
        load_npz(path)


def test_an_npz_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "images.npz", _arrays())
    content = bytearray(path.read_bytes())
    content[400] ^= 255  # a pixel
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"images\.npz cannot be read"):
        load_npz(path)


def test_text_is_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match=r"images\.npz cannot be read"):
        load_npz(path)


def test_an_archive_of_other_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x", "y", "split"):
            archive.writestr(f"{name}.npy", "not an array")
    with pytest.raises(ValueError, match=r"images\.npz"):
        load_npz(path)


@pytest.mark.parametrize("name", ["x", "y", "split", "class_names"])
def test_pickled_objects_are_not_loaded(tmp_path: Path, name: str) -> None:
    objects = np.empty(12, dtype=object)
    path = _save(tmp_path / "images.npz", _arrays(**{name: objects}))
    with pytest.raises(ValueError, match=r"images\.npz cannot be read.*plain arrays"):
        load_npz(path)


@pytest.mark.parametrize("missing", ["x", "y", "split"])
def test_a_missing_array_is_named(tmp_path: Path, missing: str) -> None:
    arrays = _arrays()
    del arrays[missing]
    path = _save(tmp_path / "images.npz", arrays)
    with pytest.raises(ValueError, match=rf"lacks the arrays {missing};"):
        load_npz(path)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "float images": ({"x": np.zeros((12, 5, 4, 3))}, "images must be uint8"),
    "channels first": ({"x": np.zeros((12, 3, 5, 4), np.uint8)}, "channels last"),
    "flat images": ({"x": np.zeros((12, 60), np.uint8)}, "images must be uint8"),
    "float labels": ({"y": np.arange(12) % 3 / 1}, "labels must be integers"),
    "one-hot labels": ({"y": np.eye(12, 3, dtype=np.int64)}, "equally long"),
    "short labels": ({"y": np.arange(11) % 3}, "equally long"),
    "short split": ({"split": np.arange(11) // 9}, "equally long"),
    "short images": ({"x": np.zeros((11, 5, 4, 3), np.uint8)}, "equally long"),
    "split of 1 and 2": ({"split": 1 + np.arange(12) // 9}, "split must hold 0"),
    "split of -1": ({"split": np.arange(12) // 9 - 1}, "split must hold 0"),
    "split of words": ({"split": np.array(["train"] * 12)}, "split must hold 0"),
    "no training image": (
        {"split": np.ones(12, np.int64)},
        r"\(train\).*there is no image",
    ),
    "no test image": (
        {"split": np.zeros(12, np.int64)},
        r"\(test\).*there is no image",
    ),
    "labels with a gap": ({"y": np.arange(12) % 3 * 2}, "without gaps"),
    "labels from 1": ({"y": np.arange(12) % 3 + 1}, "without gaps"),
    "class not in test": ({"y": np.array([0, 1, 2] * 3 + [0, 1, 1])}, r"\[2\]"),
    "class only in test": ({"y": np.array([0, 1, 2] * 3 + [0, 1, 3])}, r"\[2, 3\]"),
    "too few names": ({"class_names": ["a", "b"]}, "2 class names for 3 classes"),
    "a single name": ({"class_names": "a"}, "class names"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG.keys())
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = _save(tmp_path / "images.npz", _arrays(**changes))
    with pytest.raises(ValueError, match=rf"images\.npz.*{message}"):
        load_npz(path)


def test_shared_cifar100_is_loaded() -> None:
    path = SHARED / "data" / "cifar100_mini.npz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the shared data")
    data = load_npz(path)
    assert data.train.x.shape == (10000, 32, 32, 3)
    assert np.bincount(data.train.targets).tolist() == [100] * 100
    assert np.bincount(data.test.targets).tolist() == [20] * 100
    assert data.class_names[0] == "apple"
    assert len(set(data.class_names)) == 100


Batch = dict[str, Any]


def _batch(seed: int, images: int, classes: int, labels: str) -> Batch:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (images, 3 * 32 * 32), dtype=np.uint8)
    return {"data": pixels, labels: [number % classes for number in range(images)]}


def _write(folder: Path, name: str, content: Any) -> list[str]:
    """Write a pickle as Python 2 did; its name and md5 sum."""
    folder.mkdir(exist_ok=True)
    content = pickle.dumps(content, protocol=2)
    (folder / name).write_bytes(content)
    return [name, hashlib.md5(content).hexdigest()]


def _expect_sums(
    monkeypatch: pytest.MonkeyPatch,
    original: type[datasets.CIFAR10],
    train_list: list[list[str]],
    test_list: list[list[str]],
    meta: list[str],
) -> None:
    """Let torchvision's loader expect the md5 sums of the test's files."""
    attributes = {
        "train_list": train_list,
        "test_list": test_list,
        "meta": {**original.meta, "md5": meta[1]},
        "url": "file:///nowhere/archive.tar.gz",
    }
    loader = type(original.__name__, (original,), attributes)
    monkeypatch.setattr(sources, original.__name__, loader)


@pytest.fixture
def cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Batch]:
    folder = tmp_path / datasets.CIFAR100.base_folder
    batches = {
        "train": _batch(0, 20, 5, "fine_labels"),
        "test": _batch(1, 10, 5, "fine_labels"),
    }
    names = {"fine_label_names": list("abcde"), "coarse_label_names": list("xy")}
    _expect_sums(
        monkeypatch,
        datasets.CIFAR100,
        [_write(folder, "train", {**batches["train"], "coarse_labels": [1] * 20})],
        [_write(folder, "test", {**batches["test"], "coarse_labels": [1] * 10})],
        _write(folder, "meta", names),
    )
    return batches


def _pixels(batch: Batch) -> Any:
    return batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _assert_holds(data: ImageData, train: Batch, test: Batch, labels: str) -> None:
    for images, batch in ((data.train, train), (data.test, test)):
        expected = _pixels(batch)
        assert np.array_equal([np.asarray(image) for image, _ in images], expected)
        assert images.targets == batch[labels]


def test_cifar100_has_its_fine_labels_and_names(
    tmp_path: Path, cifar100: dict[str, Batch]
) -> None:
    data = load_cifar100(tmp_path)
    _assert_holds(data, cifar100["train"], cifar100["test"], "fine_labels")
    assert data.class_names == tuple("abcde")


def test_cifar10_has_all_its_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / datasets.CIFAR10.base_folder
    batches = [_batch(number, 4, 2, "labels") for number in range(6)]
    *train, test = batches
    _expect_sums(
        monkeypatch,
        datasets.CIFAR10,
        [_write(folder, f"data_batch_{n}", b) for n, b in enumerate(train, start=1)],
        [_write(folder, "test_batch", test)],
        _write(folder, "batches.meta", {"label_names": ["plane", "car"]}),
    )
    together = {
        "data": np.concatenate([batch["data"] for batch in train]),
        "labels": [label for batch in train for label in batch["labels"]],
    }
    data = load_cifar10(str(tmp_path))
    _assert_holds(data, together, test, "labels")
    assert data.class_names == ("plane", "car")


@pytest.mark.parametrize(
    ("load", "archive"),
    [
        (load_cifar10, "cifar-10-python.tar.gz"),
        (load_cifar100, "cifar-100-python.tar.gz"),
    ],
)
def test_absent_data_is_not_downloaded_unasked(
    tmp_path: Path, load: Any, archive: str
) -> None:
    folder = tmp_path / "data"
    with pytest.raises(FileNotFoundError) as error:
        load(folder)
    for part in (str(folder), archive, "download=True", "data.download=true"):
        assert part in str(error.value)
    assert not folder.exists()


@pytest.mark.usefixtures("cifar100")
def test_damaged_cifar100_is_refused(tmp_path: Path) -> None:
    path = tmp_path / datasets.CIFAR100.base_folder / "train"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileNotFoundError, match=r"CIFAR100 is not usable in .*corrupt"):
        load_cifar100(tmp_path)


@pytest.mark.usefixtures("cifar100")
def test_a_failed_download_is_reported_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"put cifar-100-python\.tar\.gz from"):
        load_cifar100(tmp_path / "elsewhere", download=True)


@pytest.fixture
def archive(
    tmp_path: Path, cifar100: dict[str, Batch], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder that holds the archive alone."""
    path = tmp_path / "elsewhere" / datasets.CIFAR100.filename
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / datasets.CIFAR100.base_folder, "cifar-100-python")
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(sources.CIFAR100, "tgz_md5", md5)
    return path.parent


@pytest.mark.parametrize("download", [True, False])
def test_the_archive_is_enough(
    archive: Path, cifar100: dict[str, Batch], download: bool
) -> None:
    data = load_cifar100(archive, download=download)
    _assert_holds(data, cifar100["train"], cifar100["test"], "fine_labels")
