"""torchvision's data sets, in small files of their original layouts."""

import gzip
import hashlib
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from torchvision import datasets
from torchvision.datasets import VisionDataset

from avalanche_pnr.benchmarks import (
    ImageData,
    class_incremental,
    data_incremental,
    load_torchvision,
)
from tests.benchmarks.conftest import TRANSFORMS

Source = type[VisionDataset]
Arrays = tuple[Any, Any]
NOWHERE = "file:///nowhere/"


def _arrays(
    seed: int, images: int, size: int, channels: tuple[int, ...] = (3,)
) -> Arrays:
    """Random pixels, and classes 0, 1, ..., 9, 0, ..."""
    rng = np.random.default_rng(seed)
    shape = (images, size, size, *channels)
    return rng.integers(0, 256, shape, dtype=np.uint8), np.arange(images) % 10


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _pickled(path: Path, content: Any) -> list[str]:
    """Write a pickle as Python 2 did; its name and md5 sum."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return [path.name, _md5(path)]


def _variant(original: Source, **attributes: Any) -> Source:
    """The same class, that expects other files."""
    return type(original.__name__, (original,), attributes)


def _cifar_batch(arrays: Arrays, labels: str) -> dict[str, Any]:
    x, y = arrays
    return {"data": x.transpose(0, 3, 1, 2).reshape(len(x), -1), labels: y.tolist()}


def _cifar(
    original: Source, root: Path, train: list[Any], test: Any, meta: Any
) -> Source:
    folder = root / original.base_folder
    names = [each[0] for each in original.train_list]
    pairs = zip(names, train, strict=True)
    meta_name = original.meta["filename"]
    return _variant(
        original,
        train_list=[_pickled(folder / name, batch) for name, batch in pairs],
        test_list=[_pickled(folder / original.test_list[0][0], test)],
        meta={**original.meta, "md5": _pickled(folder / meta_name, meta)[1]},
        url=f"{NOWHERE}{original.filename}",
    )


def cifar10(root: Path, train: Arrays, test: Arrays) -> Source:
    parts = zip(*(np.array_split(each, 5) for each in train), strict=True)
    return _cifar(
        datasets.CIFAR10,
        root,
        [_cifar_batch(part, "labels") for part in parts],
        _cifar_batch(test, "labels"),
        {"label_names": list("abcdefghij")},
    )


def cifar100(root: Path, train: Arrays, test: Arrays) -> Source:
    batches = [_cifar_batch(each, "fine_labels") for each in (train, test)]
    for batch in batches:
        batch["coarse_labels"] = [1] * len(batch["fine_labels"])
    names = {"fine_label_names": list("abcdefghij"), "coarse_label_names": list("xy")}
    return _cifar(datasets.CIFAR100, root, batches[:1], batches[1], names)


def _idx(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def mnist(
    root: Path, train: Arrays, test: Arrays, original: Source = datasets.MNIST
) -> Source:
    raw = root / original.__name__ / "raw"
    for split, (x, y) in (("train", train), ("t10k", test)):
        _idx(raw / f"{split}-images-idx3-ubyte", x)
        _idx(raw / f"{split}-labels-idx1-ubyte", y)
    return _variant(original, mirrors=[NOWHERE])


def fashion_mnist(root: Path, train: Arrays, test: Arrays) -> Source:
    return mnist(root, train, test, datasets.FashionMNIST)


def svhn(root: Path, train: Arrays, test: Arrays) -> Source:
    splits = {}
    for split, (x, y) in (("train", train), ("test", test)):
        path = root / f"{split}_32x32.mat"
        labels = np.where(y == 0, 10, y)[:, None]
        scipy.io.savemat(path, {"X": x.transpose(1, 2, 3, 0), "y": labels})
        splits[split] = [f"{NOWHERE}{path.name}", path.name, _md5(path)]
    return _variant(datasets.SVHN, split_list=splits)


def stl10(root: Path, train: Arrays, test: Arrays) -> Source:
    folder = root / "stl10_binary"
    folder.mkdir()
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    unlabelled, _ = _arrays(7, 15, 96)
    files = {
        "train_X.bin": train[0].transpose(0, 3, 2, 1),
        "train_y.bin": train[1] + 1,
        "unlabeled_X.bin": unlabelled.transpose(0, 3, 2, 1),
        "test_X.bin": test[0].transpose(0, 3, 2, 1),
        "test_y.bin": test[1] + 1,
    }
    for name, array in files.items():
        (folder / name).write_bytes(array.astype(np.uint8).tobytes())
    sums = [[name, _md5(folder / name)] for name in files]
    return _variant(
        datasets.STL10,
        train_list=sums[:3],
        test_list=sums[3:],
        url=f"{NOWHERE}stl10_binary.tar.gz",
    )


RGB, GREY = (3,), ()
LETTERS = tuple("abcdefghij")
SETS: dict[str, tuple[Callable[..., Source], int, tuple[int, ...], tuple[str, ...]]] = {
    "CIFAR10": (cifar10, 32, RGB, LETTERS),
    "CIFAR100": (cifar100, 32, RGB, LETTERS),
    "MNIST": (mnist, 28, GREY, tuple(datasets.MNIST.classes)),
    "FashionMNIST": (fashion_mnist, 28, GREY, tuple(datasets.FashionMNIST.classes)),
    "SVHN": (svhn, 32, RGB, tuple("0123456789")),
    "STL10": (stl10, 96, RGB, LETTERS),
}


def _made(name: str, root: Path) -> tuple[Source, Arrays, Arrays]:
    make, size, channels, _ = SETS[name]
    train, test = _arrays(0, 30, size, channels), _arrays(1, 20, size, channels)
    return make(root, train, test), train, test


def _assert_holds(data: ImageData, train: Arrays, test: Arrays) -> None:
    for images, (x, y) in ((data.train, train), (data.test, test)):
        rgb = x if x.ndim == 4 else np.repeat(x[..., None], 3, axis=3)
        pixels = [np.asarray(images[number][0]) for number in range(len(images))]
        assert np.array_equal(pixels, rgb)
        assert images.targets == [images[n][1] for n in range(len(x))] == y.tolist()


@pytest.mark.parametrize("name", SETS)
def test_images_labels_and_names_are_those_of_the_files(
    tmp_path: Path, name: str
) -> None:
    source, train, test = _made(name, tmp_path)
    data = load_torchvision(source, str(tmp_path))
    _assert_holds(data, train, test)
    assert data.class_names == SETS[name][3]
    assert data.duplicates == 0


@pytest.mark.parametrize("name", ["CIFAR100", "MNIST"])
def test_a_class_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    source, train, test = _made(name, tmp_path)
    monkeypatch.setattr(datasets, name, source)
    _assert_holds(load_torchvision(name, tmp_path), train, test)


@pytest.mark.parametrize("name", SETS)
def test_data_becomes_a_stream(tmp_path: Path, name: str) -> None:
    source, *_ = _made(name, tmp_path)
    data = load_torchvision(source, tmp_path)
    benchmark = class_incremental(data, n_experiences=5, **TRANSFORMS)
    assert [len(exp.dataset) for exp in benchmark.train_stream] == [6] * 5
    assert [len(exp.dataset) for exp in benchmark.test_stream] == [4] * 5
    size = SETS[name][1]
    assert benchmark.train_stream[4].dataset[0][0].shape == (2, 3, size, size)


def test_unlabelled_images_of_stl10_train_and_labelled_ones_are_for_probes(
    tmp_path: Path,
) -> None:
    source, train, _ = _made("STL10", tmp_path)
    data = load_torchvision(
        source, tmp_path, train_split="unlabeled", probe_split="train"
    )
    assert data.train.targets == [-1] * 15
    assert np.array_equal(np.asarray(data.train[3][0]), _arrays(7, 15, 96)[0][3])
    assert data.probe_images.targets == train[1].tolist()
    assert data.class_names == LETTERS
    benchmark = data_incremental(data, n_experiences=3, **TRANSFORMS)
    assert [len(exp.dataset) for exp in benchmark.train_stream] == [5] * 3
    with pytest.raises(ValueError, match=r"without a label \(-1\).* as probe"):
        load_torchvision(source, tmp_path, train_split="unlabeled")


def test_other_splits_are_named_when_one_is_unknown(tmp_path: Path) -> None:
    source, *_ = _made("SVHN", tmp_path)
    with pytest.raises(ValueError, match=r"'val'.*'train', 'test'.*test_split"):
        load_torchvision(source, tmp_path, test_split="val")
    with pytest.raises(ValueError, match="CIFAR10 has no split 'val', only 'train'"):
        load_torchvision("CIFAR10", tmp_path, test_split="val")


def test_arguments_of_the_class_are_handed_on(tmp_path: Path) -> None:
    source, train, _ = _made("STL10", tmp_path)
    folds = ["0 11 22 3 14 5 16 7 8 29", "1 2"]
    (tmp_path / "stl10_binary" / "fold_indices.txt").write_text("\n".join(folds))
    data = load_torchvision(source, tmp_path, folds=0)
    assert data.train.targets == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert np.array_equal(np.asarray(data.train[1][0]), train[0][11])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("cifar100", r"no torchvision\.datasets\.cifar100; did you mean CIFAR100"),
        ("SHVN", "did you mean SVHN"),
        ("Fashion", "did you mean FashionMNIST"),
        ("xyzzy", "did you mean CIFAR100"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name: str, answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        load_torchvision(name, "data")


def test_a_set_without_a_test_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"EuroSAT comes without .*from_datasets"):
        load_torchvision("EuroSAT", "data")
    with pytest.raises(ValueError, match="ImageNet cannot be downloaded"):
        load_torchvision("ImageNet", "data", download=True)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("CIFAR10", "cifar-10-python.tar.gz"),
        ("CIFAR100", "cifar-100-python.tar.gz"),
        ("STL10", "stl10_binary.tar.gz"),
        ("SVHN", "test_32x32.mat"),
        ("MNIST", "t10k-labels-idx1-ubyte.gz"),
        ("FashionMNIST", "train-images-idx3-ubyte.gz"),
        ("Food101", "its files there as torchvision documents"),
    ],
)
def test_absent_data_is_not_downloaded_unasked(
    tmp_path: Path, name: str, file: str
) -> None:
    folder = tmp_path / "data"
    with pytest.raises(FileNotFoundError) as error:
        load_torchvision(name, folder)
    for part in (str(folder), file, "download=True", "data.download=true"):
        assert part in str(error.value)
    assert not folder.exists()


def test_files_of_mnist_are_looked_for_in_its_own_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"\.gz from http.* into .*MNIST/raw"):
        load_torchvision("MNIST", tmp_path)


DAMAGED = {
    "CIFAR100": "cifar-100-python/train",
    "SVHN": "train_32x32.mat",
    "STL10": "stl10_binary/test_X.bin",
    "MNIST": "MNIST/raw/train-images-idx3-ubyte",
}


@pytest.mark.parametrize(("name", "file"), DAMAGED.items())
def test_damaged_files_are_refused(tmp_path: Path, name: str, file: str) -> None:
    source, *_ = _made(name, tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        (FileNotFoundError, ValueError), match=rf"{name} .*{tmp_path.name}"
    ):
        load_torchvision(source, tmp_path)


def test_a_failed_download_is_reported_with_the_way_out(tmp_path: Path) -> None:
    source, *_ = _made("CIFAR100", tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        load_torchvision(source, tmp_path / "elsewhere", download=True)
    assert "put cifar-100-python.tar.gz from file:///nowhere/" in str(error.value)
    assert "download=True" not in str(error.value)


@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize("name", ["CIFAR100", "STL10"])
def test_an_intact_archive_is_enough(tmp_path: Path, name: str, download: bool) -> None:
    source, train, test = _made(name, tmp_path)
    path = tmp_path / "elsewhere" / source.filename
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / source.base_folder, source.base_folder)
    source = _variant(source, tgz_md5=_md5(path))
    _assert_holds(load_torchvision(source, path.parent, download), train, test)


def test_intact_archives_of_mnist_are_enough(tmp_path: Path) -> None:
    source, train, test = _made("MNIST", tmp_path)
    resources = []
    for path in sorted((tmp_path / "MNIST" / "raw").iterdir()):
        packed = path.with_name(f"{path.name}.gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        resources.append((packed.name, _md5(packed)))
    source = _variant(source, resources=resources)
    _assert_holds(load_torchvision(source, tmp_path), train, test)


def test_test_images_that_are_training_images_are_counted(tmp_path: Path) -> None:
    train, test = _arrays(0, 30, 32), _arrays(1, 20, 32)
    test[0][[4, 6]] = train[0][[8, 9]]
    source = cifar100(tmp_path, train, test)
    with pytest.warns(UserWarning, match=r"CIFAR100 .*2 test images .*image 4 equals"):
        assert load_torchvision(source, tmp_path).duplicates == 2
    data = load_torchvision(source, tmp_path, check_duplicates=False)
    assert data.duplicates is None


def test_test_images_that_are_probe_images_are_counted(tmp_path: Path) -> None:
    train, test = _arrays(0, 30, 96), _arrays(1, 20, 96)
    test[0][3] = train[0][5]
    source = stl10(tmp_path, train, test)
    with pytest.warns(UserWarning, match=r"1 test .*image 3 equals probe image 5"):
        data = load_torchvision(
            source, tmp_path, train_split="unlabeled", probe_split="train"
        )
    assert data.duplicates == 1
