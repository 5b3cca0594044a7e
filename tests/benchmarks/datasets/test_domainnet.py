import shutil
from pathlib import Path

import pytest

from avalanche_pnr.benchmarks import ImageData, domain_incremental, load_domainnet
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, save

DOMAINS = ("real", "quickdraw", "painting", "sketch", "infograph", "clipart")
CLASSES = ("axe", "bee", "cat")


@pytest.fixture
def domainnet(tmp_path: Path) -> Path:
    """Six domains of three classes: two training images of each, one for testing."""
    for domain, name in enumerate(DOMAINS):
        lists: dict[str, list[str]] = {"train": [], "test": []}
        for image in range(9):
            label = image % 3
            file = f"{name}/{CLASSES[label]}/{name}_00{label}_00000{image}.jpg"
            save(tmp_path / file, 10 * domain + image)
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
        assert greys_and_labels(images) == expected
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
    (domainnet / "infograph" / "cat").rename(domainnet / "infograph" / "dog")
    for path in domainnet.glob("infograph_*.txt"):
        path.write_text(path.read_text().replace("/cat/", "/dog/"))
    with pytest.raises(ValueError, match="4 names for 3 classes"):
        load_domainnet(domainnet)


def test_a_lost_image_is_named_when_it_is_read(domainnet: Path) -> None:
    data: ImageData = load_domainnet(domainnet)
    (domainnet / "sketch" / "bee" / "sketch_001_000001.jpg").unlink()
    with pytest.raises(OSError, match=r"sketch_001_000001\.jpg cannot be read"):
        data.train[19]


def test_lost_images_are_named_or_left_out_on_request(domainnet: Path) -> None:
    lost = domainnet / "sketch" / "bee" / "sketch_001_000001.jpg"
    lost.unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of the listed .*: {lost}; "):
        load_domainnet(domainnet)
    data = load_domainnet(domainnet, skip_damaged=True)
    assert data.skipped == (str(lost),)
    assert len(data.train) == 35
    assert data.train.domains.count(DOMAINS.index("sketch")) == 5


def test_duplicates_are_counted_on_request(domainnet: Path) -> None:
    shutil.copy(
        domainnet / "real" / "axe" / "real_000_000000.jpg",
        domainnet / "clipart" / "cat" / "clipart_002_000008.jpg",
    )
    assert load_domainnet(domainnet).duplicates is None
    with pytest.warns(UserWarning, match=r"1 test images .*clipart_002_000008"):
        data = load_domainnet(domainnet, check_duplicates=True)
    assert data.duplicates == 1
