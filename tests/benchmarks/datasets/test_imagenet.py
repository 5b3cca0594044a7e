import shutil
from pathlib import Path

import pytest

from avalanche_pnr.benchmarks import class_incremental, load_imagenet
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, save, truncate

WNIDS = ("n01", "n02", "n03", "n04")


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """Four classes of three training and two validation images."""
    for number, wnid in enumerate(WNIDS):
        for image in range(3):
            name = f"{wnid}_{image}.JPEG"
            save(tmp_path / "train" / wnid / name, 10 * number + image)
        for image in range(2):
            name = f"ILSVRC2012_val_0000000{image}.JPEG"
            save(tmp_path / "val" / wnid / name, 100 + 10 * number + image)
    return tmp_path


@pytest.fixture
def kaggle(imagenet: Path) -> Path:
    """The same as packed on Kaggle: the training classes in parts."""
    for number, wnid in enumerate(WNIDS):
        part = imagenet / f"train.X{number % 2 + 1}"
        shutil.move(imagenet / "train" / wnid, part / wnid)
    (imagenet / "train").rmdir()
    (imagenet / "val").rename(imagenet / "val.X")
    return imagenet


def _list(folder: Path, text: str) -> Path:
    path = folder / "classes.txt"
    path.write_text(text)
    return path


def _expected(numbers: list[int], first: int, images: int) -> list[tuple[int, int]]:
    return [
        (first + 10 * number + image, label)
        for label, number in enumerate(numbers)
        for image in range(images)
    ]


def test_imagenet_has_the_classes_of_the_list_in_its_order(imagenet: Path) -> None:
    data = load_imagenet(imagenet, _list(imagenet, "n02\nn01\nn04\n"))
    assert data.class_names == ("n02", "n01", "n04")
    assert data.domain_names == ()
    assert greys_and_labels(data.train) == _expected([1, 0, 3], 0, 3)
    assert greys_and_labels(data.test) == _expected([1, 0, 3], 100, 2)


def test_without_a_list_imagenet_has_all_its_classes(imagenet: Path) -> None:
    data = load_imagenet(str(imagenet))
    assert data.class_names == WNIDS
    assert greys_and_labels(data.train) == _expected([0, 1, 2, 3], 0, 3)
    assert data.duplicates is None


@pytest.mark.parametrize(("more", "less"), [("train", "val"), ("val", "train")])
def test_without_a_list_the_splits_have_the_same_classes(
    imagenet: Path, more: str, less: str
) -> None:
    for wnid in ("n02", "n04"):
        shutil.rmtree(imagenet / less / wnid)
    message = rf"ImageNet in .* {more}/ has classes that {less}/ lacks, .*: n02, n04$"
    with pytest.raises(ValueError, match=message):
        load_imagenet(imagenet)
    listed = load_imagenet(imagenet, _list(imagenet, "n01\nn03"))
    assert listed.class_names == ("n01", "n03")


def test_the_parts_of_kaggle_are_put_together(kaggle: Path) -> None:
    data = load_imagenet(kaggle, _list(kaggle, "n04\nn01\nn03\n"))
    assert greys_and_labels(data.train) == _expected([3, 0, 2], 0, 3)
    assert greys_and_labels(data.test) == _expected([3, 0, 2], 100, 2)
    assert load_imagenet(kaggle).class_names == WNIDS


def test_imagenet_becomes_a_stream(imagenet: Path) -> None:
    data = load_imagenet(imagenet)
    benchmark = class_incremental(data, n_experiences=4, **TRANSFORMS)
    for stream, first, images in (
        (benchmark.train_stream, 0, 3),
        (benchmark.test_stream, 100, 2),
    ):
        samples = [each for exp in stream for each in ids_and_labels(exp)]
        assert sorted(samples) == _expected([0, 1, 2, 3], first, images)


def test_comments_and_blank_lines_of_the_list_are_ignored(imagenet: Path) -> None:
    text = "# the usual list\n\n  n03 \r\nn01  # tench\n   \n#n02"
    data = load_imagenet(str(imagenet), str(_list(imagenet, text)))
    assert data.class_names == ("n03", "n01")


def test_other_files_are_no_images_of_imagenet(imagenet: Path) -> None:
    (imagenet / "train" / "n01" / "README.txt").write_text("not an image")
    data = load_imagenet(imagenet, _list(imagenet, "n01"))
    assert len(data.train) == 3


@pytest.mark.parametrize("name", ["cmc", "kaggle"])
def test_named_lists_of_100_classes_are_looked_for(imagenet: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"train/n\d{8}.* and 90 more: data"):
        load_imagenet(imagenet, name)


def test_a_missing_class_list_is_named(imagenet: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"nowhere\.txt does not exist.*cmc or kaggle"
    ):
        load_imagenet(imagenet, imagenet / "nowhere.txt")


@pytest.mark.parametrize("text", ["", "\n \n", "# n01\n"])
def test_an_empty_class_list_is_refused(imagenet: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"classes\.txt is empty"):
        load_imagenet(imagenet, _list(imagenet, text))


def test_classes_that_are_listed_twice_are_named(imagenet: Path) -> None:
    classes = _list(imagenet, "n01\nn02\nn01\nn03\nn02 # again\n")
    with pytest.raises(ValueError, match=r"names n01, n02 more than once"):
        load_imagenet(imagenet, classes)


@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_and_empty_class_folders_are_named(imagenet: Path, split: str) -> None:
    shutil.rmtree(imagenet / split / "n04")
    for image in (imagenet / split / "n01").iterdir():
        image.unlink()
    with pytest.raises(FileNotFoundError) as error:
        load_imagenet(imagenet, _list(imagenet, "n01\nn02\nn04\n"))
    named = [str(imagenet / split / wnid) for wnid in ("n01", "n04")]
    assert f"no images in {', '.join(named)}: " in str(error.value)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_missing_split_is_answered_with_what_was_expected(
    imagenet: Path, split: str
) -> None:
    shutil.rmtree(imagenet / split)
    with pytest.raises(FileNotFoundError) as error:
        load_imagenet(imagenet)
    for part in (str(imagenet / split), "train/<wnid>", "val.X", "image-net.org"):
        assert part in str(error.value)


def test_validation_images_outside_of_class_folders_are_refused(imagenet: Path) -> None:
    shutil.rmtree(imagenet / "val")
    save(imagenet / "val" / "ILSVRC2012_val_00000001.JPEG", 3)
    with pytest.raises(FileNotFoundError, match="must be sorted into folders"):
        load_imagenet(imagenet)


def test_a_damaged_class_list_shows_what_is_in_it(imagenet: Path) -> None:
    classes = imagenet / "classes.txt"
    classes.write_bytes(b"n01\nn0\xff2\n")
    with pytest.raises(FileNotFoundError, match=r"images in .*train/n0\uFFFD2:"):
        load_imagenet(imagenet, classes)


def test_damaged_images_are_left_out_on_request_and_named(imagenet: Path) -> None:
    bad = [imagenet / "train" / "n02" / "n02_1.JPEG"]
    bad += [imagenet / "val" / "n03" / "ILSVRC2012_val_00000000.JPEG"]
    for path in bad:
        truncate(path)
    data = load_imagenet(imagenet, skip_damaged=True)
    assert data.skipped == tuple(map(str, bad))
    assert len(data.train) == 11
    assert len(data.test) == 7
    assert [grey for grey, _ in greys_and_labels(data.train)][3:5] == [10, 12]
    kept = load_imagenet(imagenet)
    assert kept.skipped == ()
    with pytest.raises(OSError, match=r"n02_1\.JPEG cannot be read"):
        kept.train[4]


def test_a_class_of_damaged_images_is_refused(imagenet: Path) -> None:
    for path in (imagenet / "val" / "n03").iterdir():
        truncate(path)
    with pytest.raises(ValueError, match=r"\(test\): every image of 1 classes.*n03"):
        load_imagenet(imagenet, skip_damaged=True)


def test_duplicates_are_counted_on_request(imagenet: Path) -> None:
    shutil.copy(
        imagenet / "train" / "n01" / "n01_2.JPEG", imagenet / "val" / "n01" / "x.JPEG"
    )
    with pytest.warns(UserWarning, match=r"1 test images .*x\.JPEG equals .*n01_2"):
        assert load_imagenet(imagenet, check_duplicates=True).duplicates == 1
