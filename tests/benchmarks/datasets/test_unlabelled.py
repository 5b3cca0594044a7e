import shutil
from pathlib import Path

import numpy as np
import pytest

from avalanche_pnr.benchmarks import ImageData, data_incremental, load_unlabelled
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels
from tests.benchmarks.pictures import greys_and_labels, save, truncate


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Seven images in folders of different depth."""
    names = ["z.png", "a/0.png", "a/1.jpg", "b/c/d/0.PNG", "b/c/1.png", "b/2.png"]
    for number, name in enumerate([*names, "b/c/e/3.bmp"]):
        save(tmp_path / name, 200 + number)
    (tmp_path / "a" / "readme.txt").write_text("no image")
    return tmp_path


def test_images_of_any_depth_train_without_labels(
    photos: Path, data: ImageData
) -> None:
    unlabelled = load_unlabelled(str(photos), data)
    samples = greys_and_labels(unlabelled.train)
    assert sorted(samples) == [(200 + number, -1) for number in range(7)]
    assert unlabelled.train.targets == [-1] * 7


def test_links_in_circles_are_harmless(photos: Path, data: ImageData) -> None:
    for place, target in (("a", ".."), ("b/c", "."), ("b/c/d", "../../../a")):
        (photos / place / "again").symlink_to(target, target_is_directory=True)
    samples = greys_and_labels(load_unlabelled(photos, data).train)
    assert sorted(samples) == [(200 + number, -1) for number in range(7)]


def test_without_labelled_images_some_are_held_out(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / f"{number % 3}" / f"{number}.png", number)
    unlabelled = load_unlabelled(tmp_path)
    assert (len(unlabelled.train), len(unlabelled.test)) == (36, 4)
    assert len(unlabelled.probe_images) == 0
    assert unlabelled.class_names == ()
    both = greys_and_labels(unlabelled.train) + greys_and_labels(unlabelled.test)
    assert sorted(both) == [(number, -1) for number in range(40)]
    benchmark = data_incremental(unlabelled, n_experiences=3, **TRANSFORMS)
    assert [len(each.dataset) for each in benchmark.train_stream] == [12, 12, 12]
    assert len(benchmark.probe_stream) == 0


def test_labelled_images_are_for_probe_and_test(photos: Path, data: ImageData) -> None:
    unlabelled = load_unlabelled(photos, data)
    assert unlabelled.probe is unlabelled.probe_images is data.train
    assert unlabelled.test is data.test
    assert unlabelled.class_names == data.class_names
    assert unlabelled.domain_names == ()
    assert data.probe_images is data.train


def test_unlabelled_images_become_a_stream(photos: Path, data: ImageData) -> None:
    unlabelled = load_unlabelled(photos, data)
    benchmark = data_incremental(unlabelled, n_experiences=3, **TRANSFORMS)
    parts = [ids_and_labels(experience) for experience in benchmark.train_stream]
    assert [len(part) for part in parts] == [3, 2, 2]
    samples = [sample for part in parts for sample in part]
    assert sorted(samples) == [(200 + number, -1) for number in range(7)]
    assert len(benchmark.test_stream[0].dataset) == len(data.test)


def test_a_folder_without_images_is_refused(tmp_path: Path, data: ImageData) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"there are no images in .* or below"):
        load_unlabelled(tmp_path, data)
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        load_unlabelled(tmp_path / "nowhere", data)


def test_damaged_images_are_left_out_on_request(photos: Path, data: ImageData) -> None:
    truncate(photos / "a" / "0.png")
    unlabelled = load_unlabelled(photos, data, skip_damaged=True)
    assert unlabelled.skipped == (str(photos / "a" / "0.png"),)
    assert len(unlabelled.train) == 6


def _labelled(train: list[int], test: list[int], check_duplicates: bool) -> ImageData:
    arrays = (
        (np.full((3, 6, 6, 3), 1, np.uint8) * pixels, np.arange(3))
        for pixels in (
            np.array(x, np.uint8)[:, None, None, None] for x in (train, test)
        )
    )
    return ImageData.from_arrays("labelled", *arrays, check_duplicates=check_duplicates)


def test_test_images_in_the_folder_are_counted_on_request(photos: Path) -> None:
    labelled = _labelled([45, 240, 241], [5, 200, 201], check_duplicates=False)
    assert load_unlabelled(photos, labelled).duplicates is None
    with pytest.warns(UserWarning, match="2 test images are also in the training data"):
        assert load_unlabelled(photos, labelled, check_duplicates=True).duplicates == 2
    shutil.rmtree(photos / "a")
    (photos / "z.png").unlink()
    assert load_unlabelled(photos, labelled, check_duplicates=True).duplicates == 0


def test_duplicates_of_the_labelled_images_are_not_forgotten(photos: Path) -> None:
    greys = [5, 37, 230], [5, 7, 200]
    with pytest.warns(UserWarning, match="1 test images are"):
        labelled = _labelled(*greys, check_duplicates=True)
    assert load_unlabelled(photos, labelled).duplicates == 1
    with pytest.warns(UserWarning, match="2 test images are"):
        data = load_unlabelled(photos, labelled, check_duplicates=True)
    assert data.duplicates == 2


@pytest.mark.parametrize(("images", "held"), [(4, 2), (12, 2), (20, 2), (40, 4)])
def test_of_few_images_without_labels_two_are_held_out(
    images: int, held: int, tmp_path: Path
) -> None:
    for number in range(images):
        save(tmp_path / f"{number}.png", number)
    data = load_unlabelled(tmp_path)
    assert (len(data.train), len(data.test)) == (images - held, held)


def test_fewer_than_four_images_without_labels_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "0.png", 0)
    with pytest.raises(ValueError, match="holds 1 image, and 4 are needed"):
        load_unlabelled(tmp_path)
