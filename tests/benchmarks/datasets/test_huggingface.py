import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from avalanche_pnr.benchmarks import (
    ImageData,
    class_incremental,
    load_huggingface,
)
from avalanche_pnr.benchmarks.reading.checksums import data_checksums
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, save

datasets = pytest.importorskip("datasets", reason="needs the extra huggingface")
NAMES = ["ant", "bee", "cat"]


def _split(first: int, images: int, kind: str = "numbers", image: str = "image") -> Any:
    """Images of one grey value each, in three classes."""
    numbers = [number % 3 for number in range(images)]
    labels = [NAMES[number] for number in numbers] if kind == "texts" else numbers
    greys = range(first, first + images)
    split = datasets.Dataset.from_dict(
        {
            "id": list(range(images)),
            image: [Image.new("RGB", (6, 6), (grey,) * 3) for grey in greys],
            "label": labels,
        }
    )
    names = datasets.ClassLabel(names=NAMES)
    return split.cast_column("label", names) if kind == "named" else split


def _saved(folder: Path, **splits: Any) -> str:
    datasets.DatasetDict(splits).save_to_disk(str(folder))
    return str(folder)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bars of the library's own."""
    datasets.disable_progress_bars()


def test_data_sets_become_a_stream() -> None:
    data = ImageData.from_datasets("mine", _split(0, 12, "named"), _split(100, 6))
    assert data.class_names == tuple(NAMES)
    benchmark = class_incremental(data, n_experiences=3, **TRANSFORMS)
    samples = [each for exp in benchmark.train_stream for each in ids_and_labels(exp)]
    assert sorted(samples) == [(n, n % 3) for n in range(12)]


def test_checksums_differ_where_images_or_their_order_do(tmp_path: Path) -> None:
    def checksum(train: Any) -> str:
        data = ImageData.from_datasets("mine", train, _split(200, 6))
        return data_checksums(data)["train"]

    first = checksum(_split(0, 12))
    assert checksum(_split(0, 12)) == first
    assert checksum(_split(1, 12)) != first
    assert checksum(_split(0, 12).select([*range(3, 12), 0, 1, 2])) != first
    path = _saved(tmp_path / "saved", train=_split(0, 12), test=_split(100, 6))
    assert data_checksums(load_huggingface(path)) == data_checksums(
        load_huggingface(path)
    )
    part = load_huggingface(path).train.subset([3, 4, 5])
    other = load_huggingface(path).train.subset([6, 7, 8])
    sums = [data_checksums(ImageData(each, each, ())) for each in (part, other)]
    assert sums[0] != sums[1]


def test_labels_are_read_without_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    split = _split(0, 12)
    reads = []
    decode = datasets.Image.decode_example
    monkeypatch.setattr(
        datasets.Image,
        "decode_example",
        lambda *args, **options: reads.append(1) or decode(*args, **options),
    )
    ImageData.from_datasets("mine", split, split)
    assert len(reads) == 2  # the first sample, for each of the splits


def test_streaming_data_sets_are_refused() -> None:
    stream = _split(0, 6).to_iterable_dataset()
    with pytest.raises(ValueError, match=r"IterableDataset is a stream.*streaming="):
        ImageData.from_datasets("mine", stream, stream)


def test_a_dictionary_of_splits_is_refused() -> None:
    both = datasets.DatasetDict(train=_split(0, 6), test=_split(100, 3))
    with pytest.raises(ValueError, match=r"DatasetDict holds .* train, test: "):
        ImageData.from_datasets("mine", both, both)


@pytest.mark.parametrize("test", ["test", "validation"])
@pytest.mark.parametrize("kind", ["numbers", "texts", "named"])
def test_a_saved_data_set_is_loaded(tmp_path: Path, kind: str, test: str) -> None:
    splits = {"train": _split(0, 12, kind), test: _split(100, 3, kind)}
    data = load_huggingface(_saved(tmp_path / "my set", **splits))
    assert greys_and_labels(data.train) == [(n, n % 3) for n in range(12)]
    assert greys_and_labels(data.test) == [(100 + n, n % 3) for n in range(3)]
    assert data.class_names == tuple("012" if kind == "numbers" else NAMES)


def test_without_a_test_split_a_part_is_held_out(tmp_path: Path) -> None:
    path = _saved(tmp_path / "set", train=_split(0, 30))
    data = load_huggingface(path, test_fraction=0.5)
    assert (len(data.train), len(data.test)) == (15, 15)
    both = greys_and_labels(data.train) + greys_and_labels(data.test)
    assert sorted(both) == [(n, n % 3) for n in range(30)]
    again = load_huggingface(path, test_fraction=0.5)
    assert greys_and_labels(again.test) == greys_and_labels(data.test)


def test_folders_that_the_library_reads_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    for split, first in (("train", 0), ("test", 100)):
        for number in range(6):
            name = NAMES[number % 3]
            save(tmp_path / f"pictures/{split}/{name}/{number}.png", first + number)
    data = load_huggingface("~/pictures")
    assert sorted(greys_and_labels(data.train)) == [(n, n % 3) for n in range(6)]
    assert data.class_names == tuple(NAMES)


def test_columns_and_splits_are_named(tmp_path: Path) -> None:
    one, other = _split(0, 6, image="img"), _split(100, 3, image="img")
    path = _saved(tmp_path, fit=one, held=other)
    data = load_huggingface(
        path, train_split="fit", test_split="held", image="img", label="label"
    )
    assert np.asarray(data.test[2][0]).max() == 102
    with pytest.raises(ValueError, match=r"has no split train, only fit, held: .*data"):
        load_huggingface(path)
    with pytest.raises(ValueError, match="no image=photo in the samples: they hold id"):
        load_huggingface(path, train_split="fit", test_split="held", image="photo")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere cannot be .*data\.path"):
        load_huggingface(str(tmp_path / "nowhere"))


def test_the_library_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        ImportError, match=r"needs datasets: pip install 'avalanche-pnr\[hu"
    ):
        load_huggingface("cifar100")
