import shutil
from collections import Counter
from pathlib import Path

import pytest

from avalanche_pnr.benchmarks import domain_incremental, load_pacs
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, save, truncate

DOMAINS = ("photo", "art_painting", "cartoon", "sketch")
CLASSES = ("dog", "elephant", "horse")
IMAGES = 5
"""Images of each class in each domain."""


def _pictures(root: Path) -> Path:
    for domain, name in enumerate(DOMAINS):
        for label, each in enumerate(CLASSES):
            for image in range(IMAGES):
                file = root / name / each / f"pic_00{image}.png"
                save(file, 60 * domain + 10 * label + image)
    return root


def _lists(folder: Path) -> Path:
    """The published lists: the last image of each class is for validation."""
    folder.mkdir(exist_ok=True)
    for name in DOMAINS:
        lines = [
            f"{name}/{each}/pic_00{image}.png {label + 1}\n"
            for label, each in enumerate(CLASSES)
            for image in range(IMAGES)
        ]
        train = [line for line in lines if "pic_004" not in line]
        val = [line for line in lines if "pic_004" in line]
        (folder / f"{name}_train_kfold.txt").write_text("".join(train))
        (folder / f"{name}_crossval_kfold.txt").write_text("".join(val))
        (folder / f"{name}_test_kfold.txt").write_text("".join(lines))
    return folder


@pytest.mark.parametrize("images", ["", "kfold", "pacs_data"])
@pytest.mark.parametrize("lists", ["", "kfold", "pacs_label"])
def test_the_published_lists_make_the_split(
    tmp_path: Path, images: str, lists: str
) -> None:
    _pictures(tmp_path / images)
    _lists(tmp_path / lists)
    data = load_pacs(tmp_path)
    assert data.class_names == CLASSES
    assert data.domain_names == DOMAINS
    for split, numbers in ((data.train, range(4)), (data.test, range(4, 5))):
        assert greys_and_labels(split) == [
            (60 * domain + 10 * label + image, label)
            for domain in range(4)
            for label in range(3)
            for image in numbers
        ]
        assert split.domains == [grey // 60 for grey, _ in greys_and_labels(split)]


def test_without_lists_a_part_of_each_class_in_each_domain_is_held_out(
    tmp_path: Path,
) -> None:
    data = load_pacs(_pictures(tmp_path))
    assert data.class_names == CLASSES
    for split, images in ((data.train, 4), (data.test, 1)):
        samples = greys_and_labels(split)
        cells = Counter(zip(split.domains, split.targets, strict=True))
        assert cells == {(d, c): images for d in range(4) for c in range(3)}
        assert all(grey % 60 // 10 == label for grey, label in samples)
    both = greys_and_labels(data.train) + greys_and_labels(data.test)
    assert len(set(both)) == len(both) == 60


def test_the_seed_determines_what_is_held_out(tmp_path: Path) -> None:
    path = _pictures(tmp_path)
    first, again, other = (load_pacs(path, seed=seed).test.paths for seed in (1, 1, 2))
    assert first == again != other


def test_pacs_becomes_a_stream_of_four_domains(tmp_path: Path) -> None:
    benchmark = domain_incremental(load_pacs(_pictures(tmp_path)), **TRANSFORMS)
    for stream, images in ((benchmark.train_stream, 12), (benchmark.test_stream, 3)):
        assert len(stream) == 4
        for domain, experience in enumerate(stream):
            greys = [grey for grey, _ in ids_and_labels(experience)]
            assert len(greys) == images
            assert {grey // 60 for grey in greys} == {domain}


def test_missing_domains_are_named_with_what_was_expected(tmp_path: Path) -> None:
    for name in DOMAINS[:2]:
        save(tmp_path / "kfold" / name / "dog" / "0.png", 0)
    with pytest.raises(FileNotFoundError) as error:
        load_pacs(tmp_path)
    text = f"{tmp_path / 'kfold'} lacks cartoon, sketch: data.path must hold"
    assert text in str(error.value)


def test_missing_lists_are_named(tmp_path: Path) -> None:
    _lists(_pictures(tmp_path))
    (tmp_path / "cartoon_crossval_kfold.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks cartoon_crossval_kfold\.txt: "):
        load_pacs(tmp_path)


def test_missing_files_of_the_lists_are_named_or_left_out(tmp_path: Path) -> None:
    _lists(_pictures(tmp_path))
    lost = [tmp_path / "photo" / "dog" / f"pic_00{number}.png" for number in (0, 4)]
    for path in lost:
        path.unlink()
    message = rf"2 of the listed .*missing: {lost[0]}, {lost[1]}; .*skip_damaged=True"
    with pytest.raises(FileNotFoundError, match=message):
        load_pacs(tmp_path)
    data = load_pacs(tmp_path, skip_damaged=True)
    assert data.skipped == tuple(map(str, lost))
    assert len(data.train) == 47


def test_a_domain_without_classes_is_named(tmp_path: Path) -> None:
    shutil.rmtree(_pictures(tmp_path) / "sketch")
    (tmp_path / "sketch").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folders of classes in .*sketch: "):
        load_pacs(tmp_path)


def test_damaged_images_are_left_out_on_request(tmp_path: Path) -> None:
    path = tmp_path / "sketch" / "dog" / "pic_001.png"
    _lists(_pictures(tmp_path))
    truncate(path)
    data = load_pacs(tmp_path, skip_damaged=True)
    assert data.skipped == (str(path),)
    assert len(data.train) == 47
