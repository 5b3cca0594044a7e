import hashlib
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets

from avalanche_pnr.benchmarks import ImageData, load_cifar10, load_cifar100, sources

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
