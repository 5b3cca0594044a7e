import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avalanche_pnr.benchmarks import load_npz

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def _arrays(**changes: Any) -> dict[str, Any]:
    """Arrays of a valid file, 3 classes x (3 training + 1 test) images."""
    x = np.random.default_rng(0).integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)
    arrays = {"x": x, "y": np.arange(12) % 3, "split": np.arange(12) // 9}
    return {**arrays, **changes}


def _save(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


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


@pytest.mark.parametrize(
    ("names", "expected"),
    [({}, ("0", "1")), ({"domain_names": ["ink", "oil"]}, ("ink", "oil"))],
)
def test_npz_domains_go_with_their_images(
    tmp_path: Path, names: dict[str, list[str]], expected: tuple[str, ...]
) -> None:
    domain = np.array([1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1], np.uint8)
    data = load_npz(_save(tmp_path / "images.npz", _arrays(domain=domain, **names)))
    assert data.train.domains == [1, 0, 0, 1, 1, 0, 1, 1, 0]
    assert data.test.domains == [1, 0, 1]
    assert data.domain_names == expected


def test_an_npz_may_have_no_domains(tmp_path: Path) -> None:
    data = load_npz(_save(tmp_path / "images.npz", _arrays()))
    assert data.train.domains == data.test.domains == []
    assert data.domain_names == ()


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
    "one-hot labels": ({"y": np.eye(12, 3, dtype=np.int64)}, "labels must be integers"),
    "text labels": (
        {"y": np.array(["ant", "bee", "cat"] * 4)},
        r"labels must be integers .*got <U3 .*np\.unique",
    ),
    "short labels": ({"y": np.arange(11) % 3}, "equally long"),
    "short split": ({"split": np.arange(11) // 9}, "equally long"),
    "short images": ({"x": np.zeros((11, 5, 4, 3), np.uint8)}, "equally long"),
    "split of two columns": ({"split": np.zeros((12, 2), int)}, "equally long"),
    "short domains": ({"domain": np.arange(11) % 2}, "x, y, domain and split must be"),
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
    "other classes in test": ({"y": np.array([0, 1, 2] * 3 + [3, 4, 3])}, r"\[3, 4\]"),
    "too few names": ({"class_names": ["a", "b"]}, "2 names for 3 classes"),
    "float domains": ({"domain": np.arange(12) % 2 / 1}, "domains must be integers"),
    "domains from 1": ({"domain": 1 + np.arange(12) % 2}, "domains .* without gaps"),
    "domain not in test": (
        {"domain": [0, 1, 2] * 3 + [0, 0, 1]},
        r"domains \[2\] are not in both",
    ),
    "too few domain names": (
        {"domain": np.arange(12) % 2, "domain_names": ["oil"]},
        "1 names for 2 domains",
    ),
    "names without domains": ({"domain_names": ["a"]}, "1 names for 0 domains"),
    "a single name": ({"class_names": "a"}, "1 names for 3 classes"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG.keys())
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = _save(tmp_path / "images.npz", _arrays(**changes))
    with pytest.raises(ValueError, match=rf"images\.npz.*{message}"):
        load_npz(path)


def test_shared_cifar100_is_loaded() -> None:
    path = SHARED / "cifar100_mini.npz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the shared data")
    data = load_npz(path)
    assert data.train.x.shape == (10000, 32, 32, 3)
    assert np.bincount(data.train.targets).tolist() == [100] * 100
    assert np.bincount(data.test.targets).tolist() == [20] * 100
    assert data.class_names[0] == "apple"
    assert len(set(data.class_names)) == 100
