"""Tar shards as a source of unlabelled images."""

import gzip
import re
import sys
import tarfile
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from avalanche_pnr.benchmarks import ImageData, data_incremental, load_webdataset
from avalanche_pnr.benchmarks.reading.checksums import data_checksums
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, truncate
from tests.benchmarks.shards import grey, write, write_greys

pytest.importorskip("webdataset")


def greys(data: ImageData) -> list[int]:
    samples = greys_and_labels(data.train)
    assert {label for _, label in samples} == {-1}
    return [value for value, _ in samples]


def test_images_are_those_of_all_shards_in_order(
    tmp_path: Path, data: ImageData
) -> None:
    path = write_greys(tmp_path, shards=3, images=5)
    more = write_greys(tmp_path / "more", shards=1, images=2, first=200)
    shards = load_webdataset(f"{path}::{more}", data)
    assert greys(shards) == [*range(15), 200, 201]
    assert shards.train.targets == [-1] * 17


def test_labelled_images_are_for_probe_and_test(
    tmp_path: Path, data: ImageData
) -> None:
    shards = load_webdataset(write_greys(tmp_path, 1, 2), data)
    assert shards.probe is data.train
    assert shards.test is data.test
    assert shards.class_names == data.class_names


def test_images_in_shards_are_read_as_files_are(
    tmp_path: Path, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif, content = Image.Exif(), BytesIO()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(content, "jpeg", exif=exif)
    write(tmp_path / "a.tar", [{"jpeg": content.getvalue()}])
    path = str(tmp_path / "a.tar")
    assert load_webdataset(path, data).train[0][0].size == (20, 40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    with pytest.raises(ValueError, match=r"jpeg in .*a\.tar is too large: 800 pixels"):
        load_webdataset(path, data).train[0]
    large = load_webdataset(path, data, max_pixels=800, skip_damaged=True)
    assert large.train[0][0].size == (20, 40)


def test_an_experience_is_of_shards_that_follow_each_other(
    tmp_path: Path, data: ImageData
) -> None:
    shards = load_webdataset(write_greys(tmp_path, shards=6, images=4), data)
    benchmark = data_incremental(shards, n_experiences=3, seed=None, **TRANSFORMS)
    parts = [ids_and_labels(experience) for experience in benchmark.train_stream]
    assert parts == [
        [(number, -1) for number in range(first, first + 8)] for first in (0, 8, 16)
    ]
    mixed = data_incremental(shards, n_experiences=3, **TRANSFORMS)
    parts = [ids_and_labels(experience) for experience in mixed.train_stream]
    assert [len(part) for part in parts] == [8, 8, 8]
    samples = list(chain(*parts))
    assert sorted(samples) == [(number, -1) for number in range(24)] != samples


def test_a_sample_is_one_image_whatever_else_it_holds(
    tmp_path: Path, data: ImageData
) -> None:
    samples = [
        {"cls": 3, "png": grey(1), "txt": "a cat"},
        {"JPEG": grey(9), "png": grey(2)},
        {"seg.png": grey(8), "png": grey(3), "left.png": grey(7)},
        {"pkl": b"never read", "json": {}, "png": grey(4)},
    ]
    path = str(write(tmp_path / "train.tar", samples))
    assert greys(load_webdataset(path, data)) == [1, 9, 3, 4]
    assert greys(load_webdataset(path, data, image="png")) == [1, 2, 3, 4]


def test_long_names_and_folders_are_read(tmp_path: Path, data: ImageData) -> None:
    names = ["a" * 300, "ä/" * 60 + "b", "folder/c"]
    path = tmp_path / "train.tar"
    for number, name in enumerate(names):
        write(tmp_path / "one.tar", [{"__key__": name, "png": grey(number)}])
        with tarfile.open(tmp_path / "one.tar") as one, tarfile.open(path, "a") as tar:
            tar.addfile(one.getmembers()[0], one.extractfile(one.getmembers()[0]))
    assert greys(load_webdataset(str(path), data)) == [0, 1, 2]


def _cut(size: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def _compress(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


def _append_twice(path: Path) -> None:
    with tarfile.open(path, "a") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("a.png"))


HEADER = 512
SAMPLE = 2 * (HEADER + 512)
"""Bytes of an image and its JSON with their headers."""


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_cut(SAMPLE + HEADER + 10), "complete, uncompressed tar file"),
        (_cut(SAMPLE + 100), "its end is missing"),
        (_cut(2 * SAMPLE), "its end is missing"),
        (_cut(0), "complete, uncompressed tar file"),
        (_compress, "complete, uncompressed tar file"),
        (lambda path: path.write_text("<html>404</html>"), "uncompressed tar file"),
        (lambda path: write(path, []), "holds no sample"),
        (lambda path: write(path, [{"txt": "a", "cls": 1}]), "no image, only cls, txt"),
        (_append_twice, "duplicate file name"),
    ],
)
def test_a_bad_shard_is_named(
    spoil: Callable[[Path], object], reason: str, tmp_path: Path, data: ImageData
) -> None:
    path = write_greys(tmp_path, shards=3, images=4)
    spoil(tmp_path / "train-0001.tar")
    with pytest.raises(ValueError, match=rf"train-0001\.tar.*{reason}"):
        load_webdataset(path, data)


def test_missing_shards_are_named(tmp_path: Path, data: ImageData) -> None:
    path = write_greys(tmp_path, shards=5, images=1)
    (tmp_path / "train-0003.tar").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 5 shards .*train-0003\.tar;"):
        load_webdataset(path, data)


def test_what_is_not_labelled_is_refused_before_shards_are_read(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="labelled must be labelled images"):
        load_webdataset(str(tmp_path / "nowhere.tar"), "photos")  # type: ignore[arg-type]


def test_a_damaged_image_is_named_with_its_shard(
    tmp_path: Path, data: ImageData
) -> None:
    samples = [{"png": grey(0)}, {"png": grey(1)[:40]}, {"png": grey(2)}]
    path = write(tmp_path / "train.tar", samples)
    shards = load_webdataset(str(path), data)
    assert shards.train[2][0].getpixel((0, 0)) == (2, 2, 2)
    named = r"train/000001\.png in .*train\.tar"
    with pytest.raises(OSError, match=rf"{named} cannot be read as an image"):
        shards.train[1]
    kept = load_webdataset(str(path), data, skip_damaged=True)
    assert greys(kept) == [0, 2]
    assert kept.skipped == (f"train/000001.png in {path}",)


def test_a_shard_that_is_cut_after_it_was_indexed_is_named(
    tmp_path: Path, data: ImageData
) -> None:
    shards = load_webdataset(write_greys(tmp_path, shards=2, images=4), data)
    truncate(tmp_path / "train-0001.tar")
    with pytest.raises(OSError, match=r"train-0001\.tar cannot be read"):
        shards.train[7]


def test_a_shard_that_became_something_else_is_named(
    tmp_path: Path, data: ImageData
) -> None:
    path, index = write_greys(tmp_path, shards=2, images=4), str(tmp_path / "index.npz")
    load_webdataset(path, data, index=index)
    shard = tmp_path / "train-0001.tar"
    shard.write_bytes(b"x" * shard.stat().st_size)
    kept = load_webdataset(path, data, index=index, skip_damaged=True)
    assert greys(kept) == list(range(4))
    named = rf"byte \d+ in {shard}"
    assert all(re.fullmatch(named, each) for each in kept.skipped)
    with pytest.raises(OSError, match=rf"{named} cannot be read as an image"):
        load_webdataset(path, data, index=index).train[7]


def _change(folder: Path, **changes: Any) -> None:
    """Other arrays in the index."""
    with np.load(folder / "index.npz") as file:
        arrays = {**file, **changes}
    np.savez(folder / "index.npz", **arrays)


def _place(column: int, value: int) -> Callable[[Path], object]:
    """Another place of the first image in the index."""

    def change(folder: Path) -> None:
        with np.load(folder / "index.npz") as file:
            places = file["places"]
        places[0, column] = value
        _change(folder, places=places)

    return change


def test_shards_are_told_apart_wherever_they_lie(
    tmp_path: Path, data: ImageData
) -> None:
    first = load_webdataset(write_greys(tmp_path / "first", 3, 4), data)
    moved = load_webdataset(write_greys(tmp_path / "moved", 3, 4), data)
    other = load_webdataset(write_greys(tmp_path / "other", 4, 3), data)
    assert data_checksums(moved) == data_checksums(first)
    differing = data_checksums(first).items() ^ data_checksums(other).items()
    assert {split for split, _ in differing} == {"train"}


def test_an_index_that_points_beyond_a_shard_is_refused(
    tmp_path: Path, data: ImageData
) -> None:
    path, index = write_greys(tmp_path, shards=3, images=4), str(tmp_path / "index.npz")
    load_webdataset(path, data, index=index)
    _place(2, 10**10)(tmp_path)
    with pytest.raises(ValueError, match=r"train-0000\.tar would end beyond the end"):
        load_webdataset(path, data, index=index)


def write_large(path: Path, size: int) -> str:
    """A shard with an image that many bytes follow, which take no room on the disk."""
    content = grey(7)
    member = tarfile.TarInfo("large.png")
    member.size = size
    with path.open("wb") as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT) + content)
        file.truncate(HEADER + size + 2 * HEADER)
    return str(path)


def test_an_image_of_too_many_bytes_is_refused_before_it_is_read(
    tmp_path: Path, data: ImageData
) -> None:
    path = write_large(tmp_path / "train.tar", 10 * 2**30)
    told = (
        r"large\.png in .*train\.tar has 10737418240 bytes, and an image may have 268"
    )
    with pytest.raises(ValueError, match=told):
        load_webdataset(path, data)


def test_of_an_image_only_those_bytes_are_read_that_are_needed(
    tmp_path: Path, data: ImageData
) -> None:
    path = write_large(tmp_path / "train.tar", 2**30)
    shards = load_webdataset(path, data, max_bytes=2**31)
    tracemalloc.start()
    try:
        assert greys(shards) == [7]
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_kept_index_spares_the_headers(tmp_path: Path, data: ImageData) -> None:
    path, index = write_greys(tmp_path, shards=3, images=4), str(tmp_path / "index.npz")
    assert greys(load_webdataset(path, data, index=index)) == list(range(12))
    shard = tmp_path / "train-0001.tar"
    content = shard.read_bytes()
    shard.write_bytes(bytes(HEADER) + content[HEADER:])
    assert greys(load_webdataset(path, data, index=index)) == list(range(12))
    with pytest.raises(ValueError, match="holds no sample"):
        load_webdataset(path, data)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: write_greys(folder, 1, 40), "of other shards, or they have"),
        (lambda folder: _cut(100)(folder / "index.npz"), "zip"),
        (lambda folder: (folder / "index.npz").write_text("notes"), "zip"),
        (lambda folder: np.savez(folder / "index.npz", x=1), "facts"),
        (_place(0, 3), "not in these shards"),
        (_place(0, -1), "not in these shards"),
        (_place(1, -1), "not in these shards"),
        (_place(1, 2**62), "not in these shards"),
        (lambda folder: _change(folder, places=np.zeros((12, 3))), "float64 of shape"),
        (lambda folder: _change(folder, places=np.zeros((0, 3), int)), "not in these"),
    ],
)
def test_an_index_of_something_else_is_refused_and_kept(
    spoil: Callable[[Path], object], reason: str, tmp_path: Path, data: ImageData
) -> None:
    path, index = write_greys(tmp_path, shards=3, images=4), tmp_path / "index.npz"
    load_webdataset(path, data, index=str(index))
    spoil(tmp_path)
    content = index.read_bytes()
    with pytest.raises(ValueError, match=rf"index\.npz is not the index .*{reason}"):
        load_webdataset(path, data, index=str(index))
    assert index.read_bytes() == content


def test_an_index_without_a_folder_is_refused_before_headers_are_read(
    tmp_path: Path, data: ImageData
) -> None:
    path, index = write_greys(tmp_path, shards=1, images=2), tmp_path / "no" / "i.npz"
    (tmp_path / "train-0000.tar").write_text("no tar file")
    with pytest.raises(FileNotFoundError, match="no is not a folder: make it"):
        load_webdataset(path, data, index=str(index))


def test_test_images_in_shards_are_counted_on_request(
    tmp_path: Path, data: ImageData
) -> None:
    path = write_greys(tmp_path, shards=1, images=4, first=98)  # tests begin with 100
    assert load_webdataset(path, data).duplicates == data.duplicates
    with pytest.warns(UserWarning, match="2 test images are also in the training data"):
        assert load_webdataset(path, data, check_duplicates=True).duplicates == 2


def test_without_webdataset_a_sentence(
    tmp_path: Path, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(
        ImportError, match=r"need webdataset: pip install 'avalanche-pnr\[web"
    ):
        load_webdataset("train.tar", data)
