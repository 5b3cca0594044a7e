import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avalanche_pnr.benchmarks import (
    ImageData,
    domain_incremental,
    load_domainnet,
    load_imagenet100,
)
from avalanche_pnr.benchmarks.image_data import Images
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels

DOMAINS = ("real", "quickdraw", "painting", "sketch", "infograph", "clipart")
CLASSES = ("axe", "bee", "cat")


def _save(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((6, 6, 3), grey, np.uint8)
    Image.fromarray(pixels).save(path, "JPEG", quality=100)


def _greys_and_labels(images: Images) -> list[tuple[int, int]]:
    return [(int(np.asarray(image)[0, 0, 0]), label) for image, label in images]


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """Four classes of three training and two validation images."""
    for number, wnid in enumerate(["n01", "n02", "n03", "n04"]):
        for image in range(3):
            name = f"{wnid}_{image}.JPEG"
            _save(tmp_path / "train" / wnid / name, 10 * number + image)
        for image in range(2):
            name = f"ILSVRC2012_val_0000000{image}.JPEG"
            _save(tmp_path / "val" / wnid / name, 100 + 10 * number + image)
    return tmp_path


def _list(folder: Path, text: str) -> Path:
    path = folder / "classes.txt"
    path.write_text(text)
    return path


def test_imagenet_has_the_classes_of_the_list_in_its_order(imagenet: Path) -> None:
    data = load_imagenet100(imagenet, _list(imagenet, "n02\nn01\nn04\n"))
    assert data.class_names == ("n02", "n01", "n04")
    assert data.domain_names == ()
    assert _greys_and_labels(data.train) == [
        *((10, 0), (11, 0), (12, 0)),
        *((0, 1), (1, 1), (2, 1)),
        *((30, 2), (31, 2), (32, 2)),
    ]
    assert _greys_and_labels(data.test) == [
        *((110, 0), (111, 0)),
        *((100, 1), (101, 1)),
        *((130, 2), (131, 2)),
    ]


def test_comments_and_blank_lines_of_the_list_are_ignored(imagenet: Path) -> None:
    text = "# the usual list\n\n  n03 \r\nn01  # tench\n   \n#n02"
    data = load_imagenet100(str(imagenet), str(_list(imagenet, text)))
    assert data.class_names == ("n03", "n01")


def test_other_files_are_no_images_of_imagenet(imagenet: Path) -> None:
    (imagenet / "train" / "n01" / "README.txt").write_text("not an image")
    data = load_imagenet100(imagenet, _list(imagenet, "n01"))
    assert len(data.train) == 3


def test_a_missing_class_list_is_named(imagenet: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt does not exist"):
        load_imagenet100(imagenet, imagenet / "nowhere.txt")


@pytest.mark.parametrize("text", ["", "\n \n", "# n01\n"])
def test_an_empty_class_list_is_refused(imagenet: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"classes\.txt is empty"):
        load_imagenet100(imagenet, _list(imagenet, text))


def test_classes_that_are_listed_twice_are_named(imagenet: Path) -> None:
    classes = _list(imagenet, "n01\nn02\nn01\nn03\nn02 # again\n")
    with pytest.raises(ValueError, match=r"names n01, n02 more than once"):
        load_imagenet100(imagenet, classes)


@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_and_empty_class_folders_are_named(imagenet: Path, split: str) -> None:
    shutil.rmtree(imagenet / split / "n04")
    for image in (imagenet / split / "n01").iterdir():
        image.unlink()
    with pytest.raises(FileNotFoundError) as error:
        load_imagenet100(imagenet, _list(imagenet, "n01\nn02\nn04\n"))
    named = [str(imagenet / split / wnid) for wnid in ("n01", "n04")]
    assert f"no .JPEG images in {', '.join(named)}: " in str(error.value)


def test_a_damaged_class_list_shows_what_is_in_it(imagenet: Path) -> None:
    classes = imagenet / "classes.txt"
    classes.write_bytes(b"n01\nn0\xff2\n")
    with pytest.raises(FileNotFoundError, match=r"images in .*train/n0\uFFFD2:"):
        load_imagenet100(imagenet, classes)


@pytest.fixture
def domainnet(tmp_path: Path) -> Path:
    """Six domains of three classes: two training images of each, one for testing."""
    for domain, name in enumerate(DOMAINS):
        lists: dict[str, list[str]] = {"train": [], "test": []}
        for image in range(9):
            label = image % 3
            file = f"{name}/{CLASSES[label]}/{name}_00{label}_00000{image}.jpg"
            _save(tmp_path / file, 10 * domain + image)
            lists["train" if image < 6 else "test"].append(f"{file} {label}\n")
        for split, lines in lists.items():
            (tmp_path / f"{name}_{split}.txt").write_text("".join(lines))
    return tmp_path


def test_domainnet_is_what_its_lists_say(domainnet: Path) -> None:
    data = load_domainnet(domainnet)
    assert data.class_names == CLASSES
    assert data.domain_names == DOMAINS
    for images, numbers in ((data.train, range(6)), (data.test, range(6, 9))):
        expected = [(10 * d + n, n % 3) for d in range(6) for n in numbers]
        assert _greys_and_labels(images) == expected
        assert images.domains == [grey // 10 for grey, _ in expected]


def test_domainnet_becomes_a_stream_in_the_published_order(domainnet: Path) -> None:
    benchmark = domain_incremental(load_domainnet(str(domainnet)), **TRANSFORMS)
    assert benchmark.domain_names == DOMAINS
    for stream, numbers in (
        (benchmark.train_stream, range(6)),
        (benchmark.test_stream, range(6, 9)),
    ):
        assert [ids_and_labels(experience) for experience in stream] == [
            [(10 * domain + n, n % 3) for n in numbers] for domain in range(6)
        ]


def test_a_domain_may_lack_test_images_of_a_class(domainnet: Path) -> None:
    path = domainnet / "sketch_test.txt"
    path.write_text(path.read_text().splitlines()[0])
    data = load_domainnet(domainnet)
    assert len(data.test) == 16
    assert data.test.domains.count(DOMAINS.index("sketch")) == 1


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("end", ["_train.txt", "_test.txt"])
def test_a_missing_list_is_named(domainnet: Path, domain: str, end: str) -> None:
    (domainnet / f"{domain}{end}").unlink()
    with pytest.raises(FileNotFoundError, match=rf"lacks {domain}{end}: data\.path"):
        load_domainnet(domainnet)


def test_every_missing_part_is_named(domainnet: Path) -> None:
    shutil.rmtree(domainnet / "clipart")
    shutil.rmtree(domainnet / "quickdraw")
    (domainnet / "real_test.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lacks real_test\.txt, quickdraw, clipart: data\.path"
    ):
        load_domainnet(domainnet)


@pytest.mark.parametrize(
    "line", ["real/axe/real_000_000000.jpg", "7", "real/axe/a.jpg -1", "a.jpg x", "\0"]
)
def test_a_damaged_line_is_shown(domainnet: Path, line: str) -> None:
    with (domainnet / "real_train.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=r"real_train\.txt is damaged") as error:
        load_domainnet(domainnet)
    assert f"'{line}'" in str(error.value)


def test_an_empty_list_is_named(domainnet: Path) -> None:
    (domainnet / "painting_test.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"painting_test\.txt is empty"):
        load_domainnet(domainnet)


def test_a_gap_in_the_classes_is_refused(domainnet: Path) -> None:
    for path in domainnet.glob("*.txt"):
        path.write_text(path.read_text().replace(" 2", " 3"))
    with pytest.raises(ValueError, match=r"DomainNet in .* classes .* without gaps"):
        load_domainnet(domainnet)


def test_a_class_with_two_names_is_refused(domainnet: Path) -> None:
    path = domainnet / "infograph_train.txt"
    path.write_text(path.read_text().replace("/cat/", "/dog/"))
    with pytest.raises(ValueError, match="4 names for 3 classes"):
        load_domainnet(domainnet)


def test_a_lost_image_is_named_when_it_is_read(domainnet: Path) -> None:
    data: ImageData = load_domainnet(domainnet)
    (domainnet / "sketch" / "bee" / "sketch_001_000001.jpg").unlink()
    with pytest.raises(OSError, match=r"sketch_001_000001\.jpg cannot be read"):
        data.train[19]
