"""Avalanche's classic benchmarks on small files in the layouts of the originals.

Images have one grey value each, classes 0..3 or as many as the layout asks for. The
train transform of every benchmark fails: nothing may apply it.
"""

import hashlib
import json
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from avalanche.benchmarks import CLScenario
from avalanche.benchmarks.classic import (
    CLEAR,
    CORe50,
    SplitCIFAR100,
    SplitMNIST,
    SplitTinyImageNet,
)
from avalanche.benchmarks.datasets.external_datasets import cifar
from PIL import Image
from torchvision import datasets, transforms
from torchvision.transforms import v2

TRAIN_IMAGES, TEST_IMAGES, CLASSES = 16, 4, 4
"""Of an experience, but for Tiny-ImageNet, whose layout has 200 classes."""


def refuse(image: Any) -> Any:
    raise AssertionError("the train transform of the benchmark was applied")


OPTIONS: dict[str, Any] = {
    "train_transform": refuse,
    "eval_transform": transforms.ToTensor(),
}


def _grey(values: Iterable[int], size: int) -> np.ndarray:
    """Images (N, size, size) of one value each."""
    return np.repeat(np.fromiter(values, np.uint8), size**2).reshape(-1, size, size)


def _save(path: Path, value: int, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), (value,) * 3).save(path, quality=100)


def save_cifar100(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-100 of six classes, for Avalanche to find; pickles and their md5 sums."""

    def write(name: str, content: Any) -> list[str]:
        file = folder / datasets.CIFAR100.base_folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(pickle.dumps(content, protocol=2))
        return [name, hashlib.md5(file.read_bytes()).hexdigest()]

    def batch(images: int, first: int) -> dict[str, Any]:
        values = range(first, first + images)
        pixels = np.repeat(_grey(values, 32).reshape(images, -1), 3, axis=1)
        labels = [number % 6 for number in range(images)]
        return {"data": pixels, "fine_labels": labels, "coarse_labels": labels}

    names = {"fine_label_names": list("abcdef"), "coarse_label_names": list("xy")}
    attributes = {
        "train_list": [write("train", batch(3 * TRAIN_IMAGES, 0))],
        "test_list": [write("test", batch(3 * TEST_IMAGES, 100))],
        "meta": {**datasets.CIFAR100.meta, "md5": write("meta", names)[1]},
        "url": "file:///nowhere/archive.tar.gz",
    }
    small = type("CIFAR100", (datasets.CIFAR100,), attributes)
    monkeypatch.setattr(cifar, "CIFAR100", small)


def split_cifar100(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CLScenario:
    """Three experiences of two classes."""
    save_cifar100(folder, monkeypatch)
    return SplitCIFAR100(3, seed=1, dataset_root=folder, **OPTIONS)


def split_mnist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CLScenario:
    """Three experiences of two classes with task labels; idx files, grey."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)

    def write(split: str, images: int, first: int) -> None:
        pixels = _grey(range(first, first + images), 28)
        labels = np.arange(images, dtype=np.uint8) % 6
        for name, kind, array in (
            (f"{split}-images-idx3-ubyte", 3, pixels),
            (f"{split}-labels-idx1-ubyte", 1, labels),
        ):
            header = np.array([0x800 + kind, *array.shape], dtype=">i4").tobytes()
            (raw / name).write_bytes(header + array.tobytes())

    write("train", 3 * TRAIN_IMAGES, 0)
    write("t10k", 3 * TEST_IMAGES, 100)
    options = {**OPTIONS, "eval_transform": v2.Grayscale(3)}
    return SplitMNIST(3, seed=1, return_task_id=True, dataset_root=folder, **options)


def split_tiny_imagenet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CLScenario:
    """Four experiences of 50 classes, for which there is one image each."""
    root = folder / "tiny-imagenet-200"
    names = [f"n{number:08}" for number in range(200)]
    annotations = []
    for value, name in enumerate(names):
        _save(root / "train" / name / "images" / f"{name}_0.JPEG", value, 64)
        _save(root / "val" / "images" / f"val_{value}.JPEG", value, 64)
        annotations.append(f"val_{value}.JPEG\t{name}\t0\t0\t62\t62\n")
    (root / "wnids.txt").write_text("\n".join(names))
    (root / "val" / "val_annotations.txt").write_text("".join(annotations))
    return SplitTinyImageNet(4, seed=1, dataset_root=folder, **OPTIONS)


def core50(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CLScenario:
    """Eight experiences of new instances and one test experience; file lists."""
    images, runs = folder / "core50_32x32", folder / "batches_filelists/NI_inc/run0"
    runs.mkdir(parents=True)
    (folder / "NIC_v2_79_cat").mkdir()

    def write(name: str, first: int, number: int) -> None:
        lines = []
        for value in range(first, first + number):
            _save(images / "s1" / "o1" / f"C_01_01_{value:03}.png", value, 32)
            lines.append(f"s1/o1/C_01_01_{value:03}.png {value % CLASSES}\n")
        (runs / name).write_text("".join(lines))

    for batch in range(8):
        first = batch * TRAIN_IMAGES
        write(f"train_batch_{batch:02}_filelist.txt", first, TRAIN_IMAGES)
    write("test_filelist.txt", 200, TEST_IMAGES)
    # Avalanche's data set reads these, its benchmark only the lists above.
    tables = {"ni": [[[] for _ in range(9)]]}
    for name, content in (("paths", []), ("labels2names", {})):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content))
    for name in ("labels", "LUP"):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(tables))
    return CORe50(scenario="ni", mini=True, dataset_root=folder, **OPTIONS)


def clear(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CLScenario:
    """Three experiences in the course of time, with task labels; file lists."""
    lists = folder / "training_folder"
    for bucket in range(3):
        lines = []
        for number in range(TRAIN_IMAGES + TEST_IMAGES):
            value = 50 * bucket + number
            name = f"labeled_images/{bucket}/{value}.jpg"
            _save(folder / name, value, 32)
            lines.append(f"{name} {number % CLASSES}\n")
        for parent, split, part in (
            ("filelists", "all", lines),
            ("testset_ratio_0.3/split_0", "train", lines[:TRAIN_IMAGES]),
            ("testset_ratio_0.3/split_0", "test", lines[TRAIN_IMAGES:]),
        ):
            file = lists / parent / str(bucket) / f"{split}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(part))
    (lists / "bucket_indices.json").write_text(json.dumps([0, 1, 2]))
    (folder / "class_names.txt").write_text("\n".join("abcd"))
    return CLEAR(
        data_name="clear10_neurips2021",
        evaluation_protocol="iid",
        seed=0,
        dataset_root=folder,
        **OPTIONS,
    )
