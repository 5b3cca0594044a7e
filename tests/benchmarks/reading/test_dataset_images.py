from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset
from torchvision.datasets import FakeData

from avalanche_pnr import TwoViews
from avalanche_pnr.benchmarks import DatasetImages, ImageData, class_incremental
from tests.benchmarks.conftest import TRANSFORMS, ids_and_labels


class Pictures(Dataset[Any]):
    """Pictures of one grey value each, in three classes."""

    def __init__(self, first: int, images: int, mode: str = "RGB") -> None:
        self.first, self.images, self.mode = first, images, mode
        self.reads = 0

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        self.reads += 1
        image = Image.new("RGB", (6, 6), (self.first + index,) * 3)
        if self.mode == "I;16":
            deep = np.asarray(image.convert("L")).astype(np.uint16) * 257
            deep[0, 0] = 65535
            return Image.fromarray(deep), index % 3
        return image.convert(self.mode), index % 3


class Labelled(Pictures):
    """The same with its classes as an attribute."""

    def __init__(self, name: str, labels: Any, images: int = 6) -> None:
        super().__init__(0, images)
        setattr(self, name, labels)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "I;16"])
def test_images_come_back_as_rgb_with_their_labels(mode: str) -> None:
    images = DatasetImages(Pictures(40, 6, mode))
    assert len(images) == 6
    assert images.targets == [0, 1, 2, 0, 1, 2]
    assert images.domains == []
    for index in range(6):
        image, label = images[index]
        assert image.mode == "RGB"
        assert (np.asarray(image)[1:] == 40 + index).all()
        assert label == index % 3


@pytest.mark.parametrize("name", ["targets", "labels"])
@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_labels_are_taken_where_data_sets_keep_them(name: str, kind: Any) -> None:
    dataset = Labelled(name, kind([2, 1, 0, 0, 1, 2]))
    images = DatasetImages(dataset)
    assert images.targets == [2, 1, 0, 0, 1, 2]
    assert {type(target) for target in images.targets} == {int}
    assert dataset.reads == 1


def test_data_sets_become_a_stream() -> None:
    data = ImageData.from_datasets(
        "mine", Pictures(0, 12), Pictures(100, 6), ["ant", "bee", "cat"]
    )
    assert data.class_names == ("ant", "bee", "cat")
    benchmark = class_incremental(data, n_experiences=3, **TRANSFORMS)
    for stream, first, images in (
        (benchmark.train_stream, 0, 12),
        (benchmark.test_stream, 100, 6),
    ):
        samples = [each for exp in stream for each in ids_and_labels(exp)]
        assert sorted(samples) == [(first + n, n % 3) for n in range(images)]


def test_subsets_and_data_sets_without_labels_are_read() -> None:
    data = ImageData.from_datasets(
        "mine", Subset(Pictures(0, 12), [4, 2, 9]), Pictures(100, 3)
    )
    assert data.train.targets == [1, 2, 0]
    assert len(DatasetImages(FakeData(5, (3, 6, 6), 3)).targets) == 5


def test_unlabelled_data_sets_need_a_probe() -> None:
    unlabelled = Labelled("targets", [-1] * 6)
    with pytest.raises(ValueError, match=r"^mine: images without a label .* as probe"):
        ImageData.from_datasets("mine", unlabelled, Pictures(100, 3))
    data = ImageData.from_datasets(
        "mine", unlabelled, Pictures(100, 3), probe=Pictures(50, 6)
    )
    assert data.train.targets == [-1] * 6
    assert data.probe_images.targets == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("dataset", "got"),
    [
        ([(torch.rand(16), 0)] * 3, r"\(Tensor of shape \(16,\), int\)"),
        ([Image.new("RGB", (6, 6))] * 3, r"\(Image\)"),
        ([(Image.new("RGB", (6, 6)), 0, 1)] * 3, r"\(Image, int, int\)"),
    ],
)
def test_other_samples_are_refused(dataset: Any, got: str) -> None:
    with pytest.raises(ValueError, match=rf"must be \(image, class\), .* got {got}"):
        ImageData.from_datasets("mine", dataset, Pictures(0, 3))


@pytest.mark.parametrize("labels", [[0, 1], [[0, 1]] * 6, list("abcabc"), [0.5] * 6])
def test_labels_that_do_not_fit_are_refused(labels: Any) -> None:
    with pytest.raises(ValueError, match=r"^mine \(train\): labels must be integers"):
        ImageData.from_datasets("mine", Labelled("targets", labels), Pictures(0, 3))


def test_duplicates_are_counted_on_request() -> None:
    train, test = Pictures(0, 12), Pictures(9, 6)
    assert ImageData.from_datasets("mine", train, test).duplicates is None
    with pytest.warns(UserWarning, match=r"mine: 3 test images .*test image 0 equals "):
        data = ImageData.from_datasets("mine", train, test, check_duplicates=True)
    assert data.duplicates == 3


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_tensors_of_any_number_of_channels_become_a_stream(channels: int) -> None:
    images = torch.randn(12, channels, 6, 6, generator=torch.manual_seed(0))
    samples = [(image, number % 3) for number, image in enumerate(images)]
    data = ImageData.from_datasets("mine", samples, samples, check_duplicates=False)
    benchmark = class_incremental(
        data,
        n_experiences=3,
        train_transform=TwoViews(lambda image: image[:, 1:5, 1:5]),
        eval_transform=torch.nn.Identity(),
    )
    for number, experience in enumerate(benchmark.train_stream):
        (label,) = benchmark.class_order[number]
        views, *_ = experience.dataset[1]
        assert torch.equal(views, images[label + 3, :, 1:5, 1:5].expand_as(views))
        assert torch.equal(experience.dataset.eval()[1][0], images[label + 3])
    with pytest.raises(ValueError, match=rf"tensors of shape \({channels}, 6, 6\)"):
        data.in_memory()


def test_equal_tensors_are_counted() -> None:
    samples = [(torch.full((5, 2, 2), number), number % 3) for number in range(6)]
    with pytest.warns(UserWarning, match="3 test images are also"):
        ImageData.from_datasets("mine", samples, samples[:3], check_duplicates=True)


def dictionaries(images: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": 7, "image": image, "label": label, **more}
        for image, label in (Pictures(0, images)[number] for number in range(images))
    ]


def test_dictionaries_become_images() -> None:
    data = ImageData.from_datasets("mine", dictionaries(6), dictionaries(3))
    assert data.train.targets == [0, 1, 2, 0, 1, 2]
    assert np.asarray(data.train[4][0]).mean() == 4


def test_columns_are_named_where_it_is_not_clear() -> None:
    samples = [
        {"photo": each["image"], "mask": each["image"], "kind": each["label"], "n": 0}
        for each in dictionaries(6)
    ]
    message = r"hold photo, mask, kind, n, and the image could be photo or mask: .*imag"
    with pytest.raises(ValueError, match=message):
        DatasetImages(samples)
    with pytest.raises(ValueError, match=r"the label could be kind or n: .*label="):
        DatasetImages(samples, image="photo")
    with pytest.raises(ValueError, match=r"no label=klass in .*: they hold photo, "):
        DatasetImages(samples, image="photo", label="klass")
    with pytest.raises(ValueError, match=r"image=n must be a PIL image"):
        DatasetImages(samples, image="n", label="kind")
    images = DatasetImages(samples, image="photo", label="kind")
    assert images.targets == [0, 1, 2, 0, 1, 2]


def test_dictionaries_without_a_label_are_unlabelled() -> None:
    samples = [{"image": Pictures(0, 6)[number][0]} for number in range(6)]
    assert DatasetImages(samples).targets == [-1] * 6


def test_images_that_are_too_large_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Files(Pictures):
        def __getitem__(self, index: int) -> tuple[Image.Image, int]:
            image, label = super().__getitem__(index)
            image.save(tmp_path / "image.png")
            return Image.open(tmp_path / "image.png"), label

    images = DatasetImages(Files(0, 3))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"image 1 of Files is too large: .*MAX_IM"):
        images[1]


def test_streaming_data_sets_are_refused() -> None:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Any:
            return iter(dictionaries(3))

    with pytest.raises(ValueError, match=r"is a stream.* without streaming=True"):
        ImageData.from_datasets("mine", Stream(), Pictures(0, 3))  # type: ignore[arg-type]


def test_splits_together_are_refused() -> None:
    splits = {"train": dictionaries(3), "test": dictionaries(3)}
    with pytest.raises(ValueError, match="dict holds the data sets train, test: hand"):
        ImageData.from_datasets("mine", splits, splits)  # type: ignore[arg-type]
