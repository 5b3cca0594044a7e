"""Features of many images: written as they come, in the order of the images."""

import csv
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.transforms import Compose, ToTensor

from avalanche_pnr.learner.embedding import feature_batches, write_features
from avalanche_pnr.learner.images import find_images

BATCHES, BATCH, WIDTH = 50, 4, 3


class Held:
    """Features of batches, and how many of them were held at most."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def rows(self) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        for k in range(BATCHES):
            yield [f"a,{k},{j}.png" for j in range(BATCH)], self._features(k)

    def _features(self, k: int) -> NDArray[np.float32]:
        features = np.full((BATCH, WIDTH), k / 3, np.float32)
        self.now += 1
        self.most = max(self.most, self.now)
        weakref.finalize(features, self._left)
        return features

    def _left(self) -> None:
        self.now -= 1


def read(path: Path) -> tuple[list[str], NDArray[Any], set[int]]:
    """Paths, features and experiences of a file."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return file["paths"].tolist(), file["features"], {int(file["experience"])}
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        content = parquet.read_table(path).to_pydict()
        columns = [content[f"feature_{k}"] for k in range(WIDTH)]
        return content["path"], np.array(columns).T, set(content["experience"])
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    features = np.array([row[2:] for row in rows], np.float32)
    return [row[0] for row in rows], features, {int(row[1]) for row in rows}


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
def test_few_features_are_held_however_many_are_written(
    ending: str, tmp_path: Path
) -> None:
    held = Held()
    write_features(tmp_path / f"f{ending}", held.rows(), 7)
    assert held.most <= 3  # of 50
    names, features, experiences = read(tmp_path / f"f{ending}")
    expected = list(Held().rows())
    assert names == [name for batch, _ in expected for name in batch]
    np.testing.assert_array_equal(features, np.concatenate([x for _, x in expected]))
    assert experiences == {7}
    assert [each.name for each in tmp_path.iterdir()] == [f"f{ending}"]


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
def test_what_fails_midway_leaves_the_file_as_it_was(
    ending: str, tmp_path: Path
) -> None:
    def failing() -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        yield from list(Held().rows())[:2]
        raise OSError("an image cannot be read")

    path = tmp_path / f"f{ending}"
    path.write_bytes(b"before")
    with pytest.raises(OSError, match="an image cannot be read"):
        write_features(path, failing(), 1)
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


class Opened:
    """A data set that counts what was read of it."""

    def __init__(self) -> None:
        self.count = 0

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        self.count += 1
        return np.full((2, 2, 3), index % 256, np.uint8)


def test_images_are_read_as_their_features_are_asked_for() -> None:
    opened = Opened()
    rows = feature_batches(
        nn.Flatten(),
        find_images(opened),
        Compose([ToTensor()]),
        batch_size=10,
        workers=0,
        device=torch.device("cpu"),
    )
    assert opened.count == 0
    names, features = next(rows)
    assert opened.count == 10
    assert names == [str(k) for k in range(10)]
    assert features[3, 0] == pytest.approx(3 / 255)
    next(rows)
    assert opened.count == 20


def test_a_folder_that_is_not_there_is_named_before_anything_is_read(
    tmp_path: Path,
) -> None:
    with pytest.raises(FileNotFoundError, match=r"out=.*f\.csv: there is no folder"):
        write_features(tmp_path / "no" / "f.csv", Held().rows(), 1)
