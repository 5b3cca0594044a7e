import shutil
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from avalanche_pnr.benchmarks import (
    class_incremental,
    domain_incremental,
    load_folders,
)
from avalanche_pnr.benchmarks.reading import formats
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, save, truncate

CLASSES = ("ant", "bee", "cat")


def _tree(
    root: Path, first: int, images: int, classes: tuple[str, ...] = CLASSES
) -> Path:
    for label, name in enumerate(classes):
        for image in range(images):
            save(root / name / f"{image}.png", first + 10 * label + image)
    return root


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Three classes of four training and two test images, in folders of their own."""
    _tree(tmp_path / "train", 0, 4)
    _tree(tmp_path / "test", 100, 2)
    return tmp_path


def _expected(first: int, images: int) -> list[tuple[int, int]]:
    numbers = range(images)
    return [(first + 10 * label + n, label) for label in range(3) for n in numbers]


@pytest.mark.parametrize("name", ["test", "val"])
def test_folders_of_the_splits_are_used(split: Path, name: str) -> None:
    (split / "test").rename(split / name)
    data = load_folders(str(split))
    assert data.class_names == CLASSES
    assert data.domain_names == ()
    assert greys_and_labels(data.train) == _expected(0, 4)
    assert greys_and_labels(data.test) == _expected(100, 2)
    assert data.duplicates == 0


def test_a_test_folder_goes_before_a_validation_folder(split: Path) -> None:
    _tree(split / "val", 200, 1)
    assert greys_and_labels(load_folders(split).test) == _expected(100, 2)


def test_without_a_test_folder_a_part_of_each_class_is_held_out(tmp_path: Path) -> None:
    data = load_folders(_tree(tmp_path, 0, 10))
    assert Counter(data.train.targets) == dict.fromkeys(range(3), 8)
    assert Counter(data.test.targets) == dict.fromkeys(range(3), 2)
    both = greys_and_labels(data.train) + greys_and_labels(data.test)
    assert sorted(both) == _expected(0, 10)
    half = load_folders(tmp_path, test_fraction=0.5)
    assert Counter(half.test.targets) == dict.fromkeys(range(3), 5)


def test_the_seed_determines_what_is_held_out(tmp_path: Path) -> None:
    path = _tree(tmp_path, 0, 10)
    first, again, other = (load_folders(path, seed=seed) for seed in (1, 1, 2))
    assert first.test.paths == again.test.paths != other.test.paths


def test_folders_become_a_class_incremental_stream(split: Path) -> None:
    benchmark = class_incremental(load_folders(split), n_experiences=3, **TRANSFORMS)
    samples = [s for exp in benchmark.train_stream for s in ids_and_labels(exp)]
    assert sorted(samples) == _expected(0, 4)


@pytest.mark.parametrize("held_out", [True, False])
def test_folders_of_domains_become_a_stream(tmp_path: Path, held_out: bool) -> None:
    for domain, name in enumerate(("ink", "oil", "pen")):
        _tree(tmp_path / ("" if held_out else "train") / name, 80 * domain, 5)
        if not held_out:
            _tree(tmp_path / "test" / name, 80 * domain + 6, 1)
    data = load_folders(tmp_path, "domain/class")
    assert data.class_names == CLASSES
    assert data.domain_names == ("ink", "oil", "pen")
    benchmark = domain_incremental(data, **TRANSFORMS)
    for stream, images in (
        (benchmark.train_stream, 4 if held_out else 5),
        (benchmark.test_stream, 1),
    ):
        for domain, experience in enumerate(stream):
            samples = ids_and_labels(experience)
            assert len(samples) == 3 * images
            assert {grey // 80 for grey, _ in samples} == {domain}
            assert all(grey % 80 // 10 == label for grey, label in samples)


def test_a_domain_may_lack_a_class(tmp_path: Path) -> None:
    _tree(tmp_path / "ink", 0, 5)
    _tree(tmp_path / "oil", 80, 5, CLASSES[:2])
    data = load_folders(tmp_path, "domain/class")
    cells = Counter(zip(data.test.domains, data.test.targets, strict=True))
    assert cells == dict.fromkeys([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)], 1)


@pytest.mark.parametrize(
    "suffix",
    [
        *(".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".JPG", ".Png"),
        *(".jfif", ".jpe", ".gif", ".ppm", ".pgm", ".jp2", ".avif", ".heic", ".tga"),
    ],
)
def test_images_of_every_usual_format_are_found(split: Path, suffix: str) -> None:
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("Pillow reads it from 11.3 on")
    save(split / "train" / "bee" / f"more{suffix}", 77)
    train = load_folders(split).train
    assert len(train) == 13
    (image,) = (n for n, path in enumerate(train.paths) if "more" in path)
    assert abs(int(np.asarray(train[image][0])[3, 3, 0]) - 77) <= 2


def test_what_is_no_image_is_counted_and_named_once(split: Path) -> None:
    bee = split / "train" / "bee"
    for name in ("notes.txt", "more.TXT", "Thumbs.db", ".DS_Store", ".thumbnail.png"):
        (bee / name).touch()
    for name in ("README", "scan.xyz"):
        (split / "test" / name).touch()
    save(split / "train" / ".cache" / "0.png", 1)
    save(split / "__MACOSX" / "train" / "bee" / "._0.png", 1)
    with pytest.warns(UserWarning, match="left out") as seen:
        data = load_folders(split)
    (warning,) = seen
    kinds = str(warning.message).partition("Pillow reads here: ")[2].split(", ")
    names = (".DS_Store", ".xyz", "Thumbs.db", "__MACOSX", "without an ending")
    assert set(kinds) == {"2 .txt", "2 hidden", *(f"1 {name}" for name in names)}
    assert len(kinds) == 7
    assert data.class_names == CLASSES
    assert len(data.train) == 12


def test_the_package_is_named_that_would_read_what_is_left_out(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "image_suffixes", lambda: frozenset({".png"}))
    (split / "train" / "bee" / "phone.HEIC").touch()
    with pytest.warns(UserWarning, match=r"1 \.heic \(install pillow-heif"):
        load_folders(split)


@pytest.mark.parametrize("target", ["..", "../..", "/", "../bee", "../bee/deep"])
def test_links_lead_to_every_folder_once(tmp_path: Path, target: str) -> None:
    root = _tree(tmp_path / "my photos", 0, 5)
    save(root / "bee" / "deep" / "5.png", 15)
    for name in ("ant", "cat"):
        (root / name / "up").symlink_to(target, target_is_directory=True)
    data = load_folders(root)
    both = greys_and_labels(data.train) + greys_and_labels(data.test)
    assert sorted(both) == sorted([*_expected(0, 5), (15, 1)])


def test_linked_folders_and_files_are_read(tmp_path: Path) -> None:
    elsewhere, root = _tree(tmp_path / "elsewhere", 0, 5), tmp_path / "root"
    root.mkdir()
    for name in CLASSES[:2]:
        (root / name).symlink_to(elsewhere / name)
    (root / "cat").mkdir()
    for path in (elsewhere / "cat").iterdir():
        (root / "cat" / path.name).symlink_to(path)
    (root / "cat" / "self.png").symlink_to("self.png")
    (root / "cat" / "lost.png").symlink_to("nowhere.png")
    with pytest.warns(UserWarning, match="2 links that lead nowhere"):
        data = load_folders(root)
    both = greys_and_labels(data.train) + greys_and_labels(data.test)
    assert sorted(both) == _expected(0, 5)


def test_a_path_may_begin_at_home_and_hold_spaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _tree(tmp_path / "my photos", 0, 5)
    assert load_folders("~/my photos").class_names == CLASSES


def test_an_image_that_is_too_large_is_allowed_on_request(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    Image.new("RGB", (30, 20), "red").save(split / "train" / "bee" / "map.png")
    # It is neither damaged nor left out as damaged.
    with pytest.raises(ValueError, match=r"map\.png is too large: 600 pixels.* 400 "):
        load_folders(split, skip_damaged=True)
    data = load_folders(split, skip_damaged=True, max_pixels=600)
    assert data.skipped == ()
    assert (30, 20) in {image.size for image, _ in data.train}


def test_images_beside_the_folders_of_classes_are_warned_of(split: Path) -> None:
    for number in range(3):
        save(split / "train" / f"{number}.png", 1)
    with pytest.warns(UserWarning, match=r"^3 images are .*train/0\.png: ") as seen:
        data = load_folders(split)
    assert len(seen) == 1
    assert greys_and_labels(data.train) == _expected(0, 4)


def test_images_are_found_at_any_depth_below_their_class(tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES):
        for image in range(5):
            place = tmp_path / name / "/".join(["session", "left"][: image % 3])
            save(place / f"{image}.png", 10 * label + image)
    data = load_folders(tmp_path)
    assert data.class_names == CLASSES
    both = greys_and_labels(data.train) + greys_and_labels(data.test)
    assert sorted(both) == _expected(0, 5)


def test_images_where_they_belong_are_not_warned_of(split: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_folders(split)


def test_a_domain_without_classes_is_left_out_and_named(tmp_path: Path) -> None:
    for name in ("ink", "oil"):
        _tree(tmp_path / name, 0, 5)
    (tmp_path / "pen").mkdir()
    with pytest.warns(UserWarning, match="no folders of classes in them: pen"):
        data = load_folders(tmp_path, "domain/class")
    assert data.domain_names == ("ink", "oil")
    for name in ("ink", "oil"):
        shutil.rmtree(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"no folders in folders of .*: "):
        load_folders(tmp_path, "domain/class")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "LA", "1"])
def test_images_of_other_modes_become_rgb(split: Path, mode: str) -> None:
    Image.new("RGB", (6, 6), "white").convert(mode).save(split / "train/ant/9.png")
    data = load_folders(split)
    assert {image.mode for image, _ in data.train} == {"RGB"}
    assert (np.asarray(data.train[4][0]) == 255).all()


def test_empty_folders_are_left_out_and_named(split: Path) -> None:
    (split / "train" / "dog").mkdir()
    (split / "train" / "elk").mkdir()
    with pytest.warns(UserWarning, match="left out") as seen:
        data = load_folders(split)
    named = ", ".join(str(split / "train" / name) for name in ("dog", "elk"))
    assert f"no images in them: {named}" in str(seen[0].message)
    assert len(seen) == 1
    assert data.class_names == CLASSES


def test_folders_that_are_all_empty_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dog").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no images in folders .*unlabelled"):
        load_folders(tmp_path)


def test_test_images_of_unknown_classes_are_left_out_and_named(split: Path) -> None:
    for name in ("elk", "dog"):
        save(split / "test" / name / "0.png", 1)
    with pytest.warns(UserWarning, match=r"no training .*of these classes: dog, elk$"):
        data = load_folders(split)
    assert greys_and_labels(data.test) == _expected(100, 2)


def test_classes_without_test_images_are_trained_on_and_named(split: Path) -> None:
    save(split / "train" / "dog" / "0.png", 200)
    with pytest.warns(UserWarning, match=r"classes without test images: dog$"):
        data = load_folders(split)
    assert data.class_names == (*CLASSES, "dog")
    assert (200, 3) in greys_and_labels(data.train)
    assert greys_and_labels(data.test) == _expected(100, 2)


def test_splits_without_a_common_class_are_refused(split: Path) -> None:
    (split / "test" / "ant").rename(split / "test" / "elk")
    for name in ("bee", "cat"):
        shutil.rmtree(split / "test" / name)
    with (
        pytest.warns(UserWarning, match="elk"),
        pytest.raises(ValueError, match="test holds none of the classes"),
    ):
        load_folders(split)


def test_domains_of_one_split_only_are_named(tmp_path: Path) -> None:
    for part in ("train/ink", "train/oil", "test/ink", "test/pen"):
        _tree(tmp_path / part, 0, 1)
    with pytest.raises(ValueError, match=r"test/ has domains that train/ lacks.* pen$"):
        load_folders(tmp_path, "domain/class")


def test_a_part_is_held_out_of_training_folders_that_are_alone(split: Path) -> None:
    shutil.rmtree(split / "test")
    with pytest.warns(UserWarning, match="holds train/ alone: a part of it is held"):
        data = load_folders(split)
    assert data.class_names == CLASSES
    assert Counter(data.test.targets) == dict.fromkeys(range(3), 1)


def test_an_empty_folder_of_test_images_is_left_out(split: Path) -> None:
    shutil.rmtree(split / "test")
    (split / "test").mkdir()
    (split / "test" / ".gitkeep").touch()
    with (
        pytest.warns(UserWarning, match="there is nothing in them: .*test"),
        pytest.warns(UserWarning, match="holds train/ alone: a part of it is held"),
    ):
        data = load_folders(split)
    assert Counter(data.test.targets) == dict.fromkeys(range(3), 1)


@pytest.mark.parametrize(
    ("removed", "message"),
    [("test", r"holds train/ but no test/ or val/"), ("train", r"test/ but no train/")],
)
def test_a_split_among_other_folders_is_refused(
    split: Path, removed: str, message: str
) -> None:
    shutil.rmtree(split / removed)
    save(split / "more" / "0.png", 1)
    with pytest.raises(FileNotFoundError, match=message):
        load_folders(split)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    data = load_folders(_tree(tmp_path, 0, 5, ("car", "plane", "train")))
    assert data.class_names == ("car", "plane", "train")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere is not a folder: data\.path"):
        load_folders(tmp_path / "nowhere")


def test_a_folder_without_folders_is_answered_with_the_layout(tmp_path: Path) -> None:
    save(tmp_path / "0.png", 1)
    with pytest.raises(FileNotFoundError, match=r"must hold class/image, .*unlabelled"):
        load_folders(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"must hold domain/class/image"):
        load_folders(tmp_path, "domain/class")


def test_an_unknown_layout_is_refused(split: Path) -> None:
    with pytest.raises(ValueError, match=r"layout='none' must be .*load_unlabelled"):
        load_folders(split, "none")


def test_the_only_image_of_a_class_is_trained_on(tmp_path: Path) -> None:
    save(_tree(tmp_path, 0, 5) / "dog" / "only.png", 201)
    with pytest.warns(UserWarning, match="classes without test images: dog"):
        data = load_folders(tmp_path)
    assert (201, 3) in greys_and_labels(data.train)
    assert Counter(data.test.targets) == dict.fromkeys(range(3), 1)


def test_classes_of_one_image_each_cannot_be_tested(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no class has two images"):
        load_folders(_tree(tmp_path, 0, 1))


def test_one_class_is_enough(tmp_path: Path) -> None:
    data = load_folders(_tree(tmp_path, 0, 10, ("ant",)))
    assert data.class_names == ("ant",)
    assert (len(data.train), len(data.test)) == (8, 2)


@pytest.mark.parametrize("fraction", [0.0, 1.0, 3.5])
def test_an_impossible_part_is_refused(tmp_path: Path, fraction: float) -> None:
    with pytest.raises(
        ValueError, match=f"test_fraction={fraction} cannot be held out"
    ):
        load_folders(_tree(tmp_path, 0, 5), test_fraction=fraction)


def test_damaged_images_are_named_or_left_out(split: Path) -> None:
    bad = [split / "train" / "bee" / "1.png", split / "test" / "cat" / "0.png"]
    for path in bad:
        truncate(path)
    with pytest.raises(OSError, match=r"bee/1\.png cannot be read"):
        greys_and_labels(load_folders(split, check_duplicates=False).train)
    data = load_folders(split, skip_damaged=True)
    assert data.skipped == tuple(map(str, bad))
    assert greys_and_labels(data.train) == [s for s in _expected(0, 4) if s[0] != 11]
    assert greys_and_labels(data.test) == [s for s in _expected(100, 2) if s[0] != 120]


def test_test_images_that_are_training_images_are_counted(split: Path) -> None:
    for number in (0, 3):
        shutil.copy(
            split / f"train/bee/{number}.png", split / f"test/cat/2{number}.png"
        )
    with pytest.warns(
        UserWarning, match=r"2 test images .*cat/20\.png equals .*bee/0\.png"
    ):
        assert load_folders(split).duplicates == 2
    assert load_folders(split, check_duplicates=False).duplicates is None
