"""What holds for every stream."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms

from avalanche_pnr import TwoViews
from avalanche_pnr.benchmarks import (
    ImageData,
    class_incremental,
    data_incremental,
    domain_incremental,
)
from tests.benchmarks.conftest import (
    CLASSES,
    FIRST_TEST_ID,
    PLAIN,
    SIZE,
    TEST_IMAGES,
    TRAIN_IMAGES,
    TRANSFORMS,
    VIEWS,
    ids_and_labels,
)

Stream = Callable[..., CLScenario]


@pytest.fixture(
    params=[
        pytest.param(partial(class_incremental, n_experiences=3), id="class"),
        pytest.param(partial(data_incremental, n_experiences=3), id="data"),
        pytest.param(domain_incremental, id="domain"),
    ]
)
def stream(request: pytest.FixtureRequest) -> Stream:
    """A function that makes a stream of three experiences."""
    return request.param


@pytest.fixture
def benchmark(stream: Stream, data: ImageData) -> CLScenario:
    return stream(data, **TRANSFORMS)


def test_each_image_is_there_once_with_its_label(benchmark: CLScenario) -> None:
    assert len(benchmark.train_stream) == 3
    for experiences, images, first_id in (
        (benchmark.train_stream, TRAIN_IMAGES, 0),
        (benchmark.test_stream, TEST_IMAGES, FIRST_TEST_ID),
    ):
        samples = [each for exp in experiences for each in ids_and_labels(exp)]
        assert sorted(samples) == [
            (first_id + number, number % CLASSES) for number in range(images)
        ]


def test_targets_and_lengths_are_those_of_the_images(benchmark: CLScenario) -> None:
    for experience in (*benchmark.train_stream, *benchmark.test_stream):
        labels = [label for _, label in ids_and_labels(experience)]
        assert list(experience.dataset.targets) == labels
        assert experience.classes_in_this_experience == set(labels)


def test_training_batches_hold_two_views(benchmark: CLScenario) -> None:
    for number, experience in enumerate(benchmark.train_stream):
        views, *_ = next(iter(DataLoader(experience.dataset, batch_size=4)))
        assert views.shape == (4, 2, 3, SIZE, SIZE)
        assert experience.current_experience == number


def test_test_batches_hold_plain_images(benchmark: CLScenario) -> None:
    for number, experience in enumerate(benchmark.test_stream):
        images, *_ = next(iter(DataLoader(experience.dataset, batch_size=4)))
        assert images.shape == (4, 3, SIZE, SIZE)
        assert experience.current_experience == number


def test_train_group_gives_views_and_eval_group_images(benchmark: CLScenario) -> None:
    for experience in (*benchmark.train_stream, *benchmark.test_stream):
        assert experience.dataset.train()[0][0].shape == (2, 3, SIZE, SIZE)
        assert experience.dataset.eval()[0][0].shape == (3, SIZE, SIZE)


def test_the_probe_stream_is_the_train_stream_without_augmentation(
    data: ImageData, stream: Stream
) -> None:
    benchmark = stream(data, train_transform=TwoViews(_black), eval_transform=PLAIN)
    train, probe = benchmark.train_stream, benchmark.probe_stream
    assert [ids_and_labels(each) for each in probe] == [
        ids_and_labels(each) for each in train
    ]
    for number, experience in enumerate(probe):
        image, label = experience.dataset[1]
        assert (round(image[0, 0, 0].item() * 255), label) == ids_and_labels(
            train[number]
        )[1]
        assert experience.current_experience == number
        assert experience.origin_stream.name == "probe"


def _black(image: Any) -> Tensor:
    return PLAIN(image) * 0


def test_the_split_indexes_the_images_of_each_experience(
    data: ImageData, benchmark: CLScenario
) -> None:
    for name, images in (("train", data.train), ("test", data.test)):
        parts = benchmark.split[name]
        assert len(parts) == len(benchmark.streams[name])
        for part, experience in zip(parts, benchmark.streams[name], strict=True):
            assert part.dtype.kind == "i"
            samples = [images[index] for index in part]
            assert [(image.getpixel((0, 0))[0], y) for image, y in samples] == (
                ids_and_labels(experience)
            )


def test_classes_and_domains_keep_their_names(
    data: ImageData, stream: Stream, benchmark: CLScenario
) -> None:
    assert benchmark.class_names == data.class_names
    by_domain = stream is domain_incremental
    assert benchmark.domain_names == (data.domain_names if by_domain else ())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_split_follows_from_the_seed_alone(data: ImageData, seed: int) -> None:
    def split() -> list[list[list[int]]]:
        random.seed()
        torch.seed()
        np.random.seed()  # noqa: NPY002
        options = {"n_experiences": 3, "seed": seed, **TRANSFORMS}
        return [
            [part.tolist() for part in cut(data, **options).split[name]]
            for cut in (class_incremental, data_incremental)
            for name in ("train", "test")
        ]

    assert split() == split()


def test_global_generators_stay_untouched(data: ImageData, stream: Stream) -> None:
    def noisy(image: Any) -> Tensor:
        noise = random.random() + np.random.rand()  # noqa: NPY002
        return PLAIN(image) + torch.rand(3, SIZE, SIZE) + noise

    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    stream(data, train_transform=TwoViews(noisy), eval_transform=noisy)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_the_global_seed_does_not_matter(data: ImageData, stream: Stream) -> None:
    def samples(seed: int) -> list[list[tuple[int, int]]]:
        random.seed(seed)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        return [ids_and_labels(exp) for exp in stream(data, **TRANSFORMS).train_stream]

    assert samples(0) == samples(1)


def _as_list(image: Any) -> list[Tensor]:
    return [PLAIN(image), PLAIN(image)]


def _one_stacked(image: Any) -> Tensor:
    return PLAIN(image)[None]


@pytest.mark.parametrize(
    ("transform", "got"),
    [
        (PLAIN, r"\(3, 6, 6\)"),
        (_one_stacked, r"\(1, 3, 6, 6\)"),
        (_as_list, "list"),
    ],
)
def test_a_train_transform_without_stacked_views_is_refused(
    data: ImageData, stream: Stream, transform: Any, got: str
) -> None:
    with pytest.raises(ValueError, match=rf"^train_transform .*{got}.*TwoViews"):
        stream(data, train_transform=transform, eval_transform=PLAIN)


@pytest.mark.parametrize(
    ("transform", "got"),
    [
        (VIEWS, r"\(2, 3, 6, 6\)"),
        (_as_list, "list"),
        (lambda image: image, "Image"),
    ],
)
def test_an_eval_transform_without_a_plain_image_is_refused(
    data: ImageData, stream: Stream, transform: Any, got: str
) -> None:
    with pytest.raises(ValueError, match=rf"^eval_transform .*{got}"):
        stream(data, train_transform=VIEWS, eval_transform=transform)


def test_grey_evaluation_of_rgb_views_is_refused(
    data: ImageData, stream: Stream
) -> None:
    grey = transforms.Compose([transforms.Grayscale(), PLAIN])
    with pytest.raises(ValueError, match=r"3 channels, but eval_transform.*\(1, 6, 6"):
        stream(data, train_transform=VIEWS, eval_transform=grey)


@pytest.mark.parametrize("size", [(6, 8), (8, 6)])
def test_images_smaller_than_the_crop_are_refused(
    data: ImageData, stream: Stream, size: tuple[int, int]
) -> None:
    crop = transforms.Compose([transforms.RandomResizedCrop(size), PLAIN])
    message = (
        f"6x6 px are smaller than the crop of {size[0]}x{size[1]} px: lower the input "
        "size of the views .*data.image_size=6"
    )
    with pytest.raises(ValueError, match=message):
        stream(data, train_transform=TwoViews(crop), eval_transform=PLAIN)


def test_a_crop_of_the_whole_image_is_accepted(data: ImageData, stream: Stream) -> None:
    crop = transforms.Compose([transforms.RandomResizedCrop(SIZE), PLAIN])
    benchmark = stream(data, train_transform=TwoViews(crop), eval_transform=PLAIN)
    assert len(benchmark.train_stream) == 3


def test_images_may_be_resized_to_the_crop(data: ImageData, stream: Stream) -> None:
    crop = transforms.Compose([transforms.RandomResizedCrop(8), PLAIN])
    resize = transforms.Compose([transforms.Resize(8), PLAIN])
    benchmark = stream(data, train_transform=TwoViews(crop), eval_transform=resize)
    for experience in benchmark.train_stream:
        assert experience.dataset[0][0].shape == (2, 3, 8, 8)


def test_task_labels_are_the_numbers_of_the_train_experiences(
    data: ImageData, stream: Stream
) -> None:
    benchmark = stream(data, return_task_id=True, **TRANSFORMS)
    for name, experiences in benchmark.streams.items():
        for task, experience in enumerate(experiences):
            assert experience.task_label == task, name
            assert experience.task_labels == [task], name
            dataset = experience.dataset
            assert {dataset[index][2] for index in range(len(dataset))} == {task}, name
            assert dict(dataset.task_set).keys() == {task}, name
    assert len(benchmark.train_stream) == len(benchmark.probe_stream) == 3


def test_task_labels_change_nothing_else(data: ImageData, stream: Stream) -> None:
    with_labels = stream(data, return_task_id=True, **TRANSFORMS)
    without = stream(data, **TRANSFORMS)
    for name, experiences in without.streams.items():
        assert len(with_labels.streams[name]) == len(experiences) > 0
        for new, old in zip(with_labels.streams[name], experiences, strict=True):
            assert not hasattr(old, "task_labels")
            assert len(old.dataset[0]) == 2
            assert ids_and_labels(new) == ids_and_labels(old)
            assert list(new.dataset.targets) == list(old.dataset.targets)
            assert torch.equal(new.dataset[1][0], old.dataset[1][0])
            assert new.classes_in_this_experience == old.classes_in_this_experience
            assert new.future_classes == old.future_classes
    assert with_labels.class_names == without.class_names
    assert with_labels.domain_names == without.domain_names
