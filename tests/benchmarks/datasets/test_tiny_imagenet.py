import shutil
from pathlib import Path

import pytest

from avalanche_pnr.benchmarks import class_incremental, load_tiny_imagenet
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, save, truncate

WNIDS = ("n03", "n01", "n02")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Three classes of four training and two validation images."""
    (tmp_path / "wnids.txt").write_text("\n".join(WNIDS))
    (tmp_path / "words.txt").write_text("n00\tentity\nn01\tcat, tom\nn03\tdog\n")
    for number, wnid in enumerate(WNIDS):
        (tmp_path / "train" / wnid).mkdir(parents=True)
        (tmp_path / "train" / wnid / f"{wnid}_boxes.txt").write_text("n01_0.JPEG\t0\n")
        for image in range(4):
            name = f"{wnid}_{image}.JPEG"
            save(tmp_path / "train" / wnid / "images" / name, 10 * number + image)
    lines = []
    for image in range(6):
        save(tmp_path / "val" / "images" / f"val_{image}.JPEG", 100 + image)
        lines.append(f"val_{image}.JPEG\t{WNIDS[image % 3]}\t0\t32\t44\t62\n")
    (tmp_path / "val" / "val_annotations.txt").write_text("".join(lines))
    save(tmp_path / "test" / "images" / "test_0.JPEG", 1)
    return tmp_path


def test_classes_are_numbered_by_the_list_of_wnids(tiny: Path) -> None:
    data = load_tiny_imagenet(tiny)
    expected = [(10 * label + image, label) for label in range(3) for image in range(4)]
    assert greys_and_labels(data.train) == expected
    assert greys_and_labels(data.test) == [(100 + n, n % 3) for n in range(6)]
    assert data.class_names == ("dog", "cat, tom", "n02")
    assert data.duplicates == 0


def test_classes_are_named_by_wnids_without_the_words(tiny: Path) -> None:
    (tiny / "words.txt").unlink()
    assert load_tiny_imagenet(str(tiny)).class_names == WNIDS


def test_tiny_imagenet_becomes_a_stream(tiny: Path) -> None:
    benchmark = class_incremental(
        load_tiny_imagenet(tiny), n_experiences=3, **TRANSFORMS
    )
    tested = [each for exp in benchmark.test_stream for each in ids_and_labels(exp)]
    assert sorted(tested) == [(100 + n, n % 3) for n in range(6)]


@pytest.mark.parametrize(
    "part", ["wnids.txt", "train", "val/images", "val/val_annotations.txt"]
)
def test_a_missing_part_is_named_with_what_was_expected(tiny: Path, part: str) -> None:
    path = tiny / part
    path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(FileNotFoundError, match=rf"lacks {part}: .*tiny-imagenet-200"):
        load_tiny_imagenet(tiny)


def test_an_empty_class_is_named(tiny: Path) -> None:
    shutil.rmtree(tiny / "train" / "n01" / "images")
    with pytest.raises(FileNotFoundError, match=r"no images in .*train/n01/images: "):
        load_tiny_imagenet(tiny)


@pytest.mark.parametrize("line", ["val_0.JPEG", "val_0.JPEG n01", "val_0.JPEG\tn99\t0"])
def test_a_damaged_annotation_is_shown(tiny: Path, line: str) -> None:
    with (tiny / "val" / "val_annotations.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=r"val_annotations\.txt is damaged") as error:
        load_tiny_imagenet(tiny)
    assert f"'{line}'" in str(error.value)


def test_missing_files_of_the_annotations_are_named_or_left_out(tiny: Path) -> None:
    lost = tiny / "val" / "images" / "val_4.JPEG"
    lost.unlink()
    message = rf"1 of the listed files are missing: {lost}; .*skip_damaged=True"
    with pytest.raises(FileNotFoundError, match=message):
        load_tiny_imagenet(tiny)
    data = load_tiny_imagenet(tiny, skip_damaged=True)
    assert data.skipped == (str(lost),)
    assert len(data.test) == 5


def test_damaged_images_are_left_out_on_request(tiny: Path) -> None:
    truncate(tiny / "val" / "images" / "val_4.JPEG")
    data = load_tiny_imagenet(tiny, skip_damaged=True)
    assert data.skipped == (str(tiny / "val" / "images" / "val_4.JPEG"),)
    assert [grey for grey, _ in greys_and_labels(data.test)] == [
        100,
        101,
        102,
        103,
        105,
    ]
