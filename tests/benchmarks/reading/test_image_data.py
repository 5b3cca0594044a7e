from typing import Any

import numpy as np
import pytest

from avalanche_pnr.benchmarks import ArrayImages, FileImages, ImageData

Arrays = tuple[Any, Any]


def _arrays(labels: list[int], seed: int = 0) -> Arrays:
    shape = (len(labels), 4, 5, 3)
    x = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return x, np.array(labels)


TRAIN, TEST = _arrays([0, 1, 2, 1, 0]), _arrays([2, 1, 0], seed=1)


def test_images_come_back_with_their_labels() -> None:
    x, y = TRAIN
    images = ArrayImages(x, y)
    assert len(images) == 5
    for index in range(5):
        image, label = images[index]
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), x[index])
        assert label == y[index]


def test_targets_are_a_list_of_python_integers() -> None:
    targets = ArrayImages(TRAIN[0], TRAIN[1].astype(np.uint8)).targets
    assert targets == [0, 1, 2, 1, 0]
    assert {type(target) for target in targets} == {int}


def test_domains_are_a_list_of_python_integers_or_empty() -> None:
    domains = ArrayImages(*TRAIN, np.array([1, 0, 1, 0, 1], np.uint8)).domains
    assert domains == [1, 0, 1, 0, 1]
    assert {type(domain) for domain in domains} == {int}
    assert ArrayImages(*TRAIN).domains == []


def test_splits_are_kept_apart() -> None:
    data = ImageData.from_arrays("here", TRAIN, TEST)
    assert np.array_equal(data.train.x, TRAIN[0])
    assert np.array_equal(data.test.x, TEST[0])
    assert data.train.targets == [0, 1, 2, 1, 0]
    assert data.test.targets == [2, 1, 0]


def test_classes_are_named_by_number_unless_names_are_given() -> None:
    unnamed = ImageData.from_arrays("here", TRAIN, TEST)
    named = ImageData.from_arrays("here", TRAIN, TEST, np.array(["ant", "bee", "cat"]))
    assert unnamed.class_names == ("0", "1", "2")
    assert named.class_names == ("ant", "bee", "cat")
    assert {type(name) for name in named.class_names} == {str}


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(TEST[0] / 255, id="float"),
        pytest.param(TEST[0].astype(np.int64), id="int64"),
        pytest.param(TEST[0][..., 0], id="grey without channel"),
        pytest.param(TEST[0][..., :1], id="one channel"),
        pytest.param(np.moveaxis(TEST[0], 3, 1), id="channels first"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_wrong_images_are_refused_by_source_and_split(images: Any, split: str) -> None:
    splits = {"train": TRAIN, "test": TEST, split: (images, TEST[1][: len(images)])}
    with pytest.raises(ValueError, match=rf"^here \({split}\): images must be uint8"):
        ImageData.from_arrays("here", splits["train"], splits["test"])


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.array([0.0, 1.0, 2.0]), id="float"),
        pytest.param(np.array(["0", "1", "2"]), id="text"),
        pytest.param(np.array([0, 1]), id="too few"),
        pytest.param(np.array([0, 1, 2, 0]), id="too many"),
        pytest.param(np.eye(3, dtype=np.int64), id="one-hot"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_wrong_labels_are_refused_by_source_and_split(labels: Any, split: str) -> None:
    splits = {"train": TRAIN, "test": TEST, split: (TEST[0], labels)}
    with pytest.raises(ValueError, match=rf"^here \({split}\): labels must be integer"):
        ImageData.from_arrays("here", splits["train"], splits["test"])


@pytest.mark.parametrize("labels", [[0, 1, 3], [1, 2, 3]])
def test_training_labels_with_gaps_are_refused(labels: list[int]) -> None:
    with pytest.raises(
        ValueError, match=r"^here: training classes must be .* without gaps"
    ):
        ImageData.from_arrays("here", _arrays(labels), _arrays(labels))


def test_classes_without_test_images_stay_and_are_named() -> None:
    names = ["ant", "bee", "cat", "dog"]
    with pytest.warns(UserWarning, match=r"^here: .*without test images: bee, dog$"):
        data = ImageData.from_arrays(
            "here",
            _arrays([0, 1, 2, 3]),
            _arrays([0, 2]),
            names,
            check_duplicates=False,
        )
    assert data.class_names == tuple(names)
    assert data.test.targets == [0, 2]


@pytest.mark.parametrize("names", [None, ["ant", "bee", "cat"]])
def test_test_images_of_unknown_classes_are_left_out(names: list[str] | None) -> None:
    with pytest.warns(UserWarning, match=r"^here: 2 test images .* \[2\]$"):
        data = ImageData.from_arrays(
            "here",
            _arrays([0, 1]),
            _arrays([2, 0, 1, 2]),
            names,
            check_duplicates=False,
        )
    assert data.class_names == (("0", "1") if names is None else ("ant", "bee"))
    assert data.test.targets == [0, 1]
    with pytest.raises(ValueError, match=r"^here: test images are of classes \[2, 3\]"):
        ImageData.from_arrays("here", _arrays([0, 1]), _arrays([2, 3]))


@pytest.mark.parametrize(("train", "test"), [([-1, 0], [0]), ([0, 1], [0, -1])])
def test_images_without_labels_are_refused(train: list[int], test: list[int]) -> None:
    with pytest.raises(ValueError, match="without a label"):
        ImageData.from_arrays("here", _arrays(train), _arrays(test))


def test_an_empty_split_is_refused() -> None:
    nothing = TEST[0][:0], TEST[1][:0]
    with pytest.raises(ValueError, match=r"^here \(test\): there is no image"):
        ImageData.from_arrays("here", TRAIN, nothing)


@pytest.mark.parametrize("names", [["ant", "bee"], ["ant", "bee", "cat", "dog"]])
def test_a_wrong_number_of_names_is_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match=rf"{len(names)} names for 3 classes"):
        ImageData.from_arrays("here", TRAIN, TEST, names)


def _with_domains(
    train: list[int] | None, test: list[int] | None, names: Any = None
) -> ImageData:
    splits = [
        arrays if domains is None else (*arrays, np.array(domains))
        for arrays, domains in ((TRAIN, train), (TEST, test))
    ]
    return ImageData.from_arrays("here", *splits, domain_names=names)


def test_domains_are_named_by_number_unless_names_are_given() -> None:
    train, test = [0, 0, 1, 1, 1], [1, 0, 0]
    assert _with_domains(None, None).domain_names == ()
    assert _with_domains(train, test).domain_names == ("0", "1")
    assert _with_domains(train, test, ["ink", "oil"]).domain_names == ("ink", "oil")


@pytest.mark.parametrize(
    ("train", "test", "names", "message"),
    [
        ([0, 0, 2, 2, 2], [0, 2, 2], None, r"training domains must .* got \[0, 2\]"),
        ([0, 0, 1, -1, 0], [0, 1, 0], None, r"training domains must .* \[-1, 0, 1\]"),
        ([0, 0, 1, 1, 2], [0, 1, 1], None, r"domains \[2\] are not in both"),
        ([0, 0, 1, 1, 1], [0, 1, 2], None, r"domains \[2\] are not in both"),
        ([0, 0, 1, 1, 1], None, None, r"domains \[0, 1\] are not in both"),
        (None, [0, 1, 1], None, r"domains \[0, 1\] are not in both"),
        ([0, 1], [0, 1, 1], None, r"\(train\): domains must be integers .*\(5,\)"),
        ([0, 0, 1, 1, 1], [0, 1], None, r"\(test\): domains must be integers"),
        ([0, 0, 1, 1, 1], [0, 1, 1], ["ink"], "1 names for 2 domains"),
        (None, None, ["ink"], "1 names for 0 domains"),
    ],
)
def test_domains_that_do_not_fit_are_refused(
    train: list[int] | None, test: list[int] | None, names: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^here.*{message}"):
        _with_domains(train, test, names)


def test_labels_of_files_are_checked_and_files_are_not_read() -> None:
    paths = ["nowhere/0.png", "nowhere/1.png", "nowhere/2.png"]
    good = FileImages(paths, [0, 1, 2], [0, 0, 1])
    data = ImageData.from_images("there", good, good, ["ant", "bee", "cat"])
    assert data.train is data.test is good
    assert data.class_names == ("ant", "bee", "cat")
    assert data.domain_names == ("0", "1")
    with pytest.raises(ValueError, match=r"^there \(train\): labels must be integers"):
        ImageData.from_images("there", FileImages(paths, [0, 1]), good)
    with pytest.raises(ValueError, match=r"^there \(test\): there is no image"):
        ImageData.from_images("there", good, FileImages([], []))


def _probed(
    train: list[int], probe: list[int], domains: dict[str, list[int]] | None = None
) -> ImageData:
    sets = {"train": train, "probe": probe, "test": [0, 1, 2]}
    images = {
        name: FileImages(
            [f"{name}{n}" for n in range(len(y))], y, (domains or {}).get(name, [])
        )
        for name, y in sets.items()
    }
    return ImageData.from_images(
        "here", images.pop("train"), images.pop("test"), **images
    )


def test_images_without_labels_are_accepted_with_a_probe() -> None:
    data = _probed([-1, -1, -1, -1], [0, 1, 2, 1])
    assert data.train.targets == [-1] * 4
    assert data.probe_images is data.probe
    assert data.probe_images.targets == [0, 1, 2, 1]
    assert data.class_names == ("0", "1", "2")


def test_some_training_images_may_have_labels() -> None:
    assert _probed([-1, 2, -1, 0], [0, 1, 2]).class_names == ("0", "1", "2")


def test_domains_of_labelled_images_do_not_matter_where_training_has_none() -> None:
    domains = {"probe": [0, 1, 0], "test": [1, 0, 1]}
    assert _probed([-1, -1], [0, 1, 2], domains).domain_names == ()


@pytest.mark.parametrize(
    ("train", "probe", "message"),
    [
        ([-1, 3], [0, 1, 2], r"training classes \[3\] are not among"),
        ([-1, -2], [0, 1, 2], r"training classes \[-2\] are not among"),
        ([-1, -1], [0, 1, -1], r"images without a label"),
        ([-1, -1], [1, 2], r"training classes must be .* without gaps"),
        ([-1, -1], [], r"\(probe\): there is no image"),
        ([], [0, 1, 2], r"\(train\): there is no image"),
    ],
)
def test_a_probe_that_does_not_fit_is_refused(
    train: list[int], probe: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^here.*{message}"):
        _probed(train, probe)
