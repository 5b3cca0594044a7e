import random
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor
from torchvision import transforms

from avalanche_pnr import TwoViews, class_incremental
from avalanche_pnr.benchmarks import ImageData

CLASSES, SIZE, FIRST_TEST_ID = 10, 6, 100
PLAIN = transforms.ToTensor()
VIEWS = TwoViews(PLAIN)


def _data(images: int, first_id: int) -> tuple[Any, Any]:
    """Images of one grey value each, which tells them apart."""
    ids = np.arange(first_id, first_id + images, dtype=np.uint8)
    x = np.broadcast_to(ids[:, None, None, None], (images, SIZE, SIZE, 3)).copy()
    return x, np.arange(images) % CLASSES


@pytest.fixture(scope="module")
def data() -> ImageData:
    names = [f"class {number}" for number in range(CLASSES)]
    train, test = _data(3 * CLASSES, 0), _data(2 * CLASSES, FIRST_TEST_ID)
    return ImageData.from_arrays("here", train, test, names)


def _stream(data: ImageData, experiences: int, seed: int = 0) -> CLScenario:
    return class_incremental(
        data,
        experiences=experiences,
        train_transform=VIEWS,
        eval_transform=PLAIN,
        seed=seed,
    )


def _ids_and_labels(experience: Any) -> list[tuple[int, int]]:
    dataset = experience.dataset.eval()
    samples = [dataset[index] for index in range(len(dataset))]
    return [(round(x[0, 0, 0].item() * 255), int(y)) for x, y, *_ in samples]


@pytest.mark.parametrize(
    ("experiences", "sizes"),
    [(1, [10]), (3, [4, 3, 3]), (4, [3, 3, 2, 2]), (5, [2] * 5), (10, [1] * 10)],
)
def test_each_class_is_in_exactly_one_experience(
    data: ImageData, experiences: int, sizes: list[int]
) -> None:
    benchmark = _stream(data, experiences)
    for stream in (benchmark.train_stream, benchmark.test_stream):
        classes = [{y for _, y in _ids_and_labels(experience)} for experience in stream]
        assert [len(part) for part in classes] == sizes
        assert sorted(c for part in classes for c in part) == list(range(CLASSES))


@pytest.mark.parametrize("experiences", [1, 3, 4])
def test_each_sample_is_there_once_with_its_label(
    data: ImageData, experiences: int
) -> None:
    benchmark = _stream(data, experiences)
    streams = (benchmark.train_stream, benchmark.test_stream)
    for stream, (images, first_id) in zip(
        streams, [(3 * CLASSES, 0), (2 * CLASSES, FIRST_TEST_ID)], strict=True
    ):
        samples = [
            pair for experience in stream for pair in _ids_and_labels(experience)
        ]
        assert sorted(samples) == [
            (first_id + number, number % CLASSES) for number in range(images)
        ]


def test_train_and_test_experiences_have_the_same_classes(data: ImageData) -> None:
    benchmark = _stream(data, 4)
    for train, test in zip(benchmark.train_stream, benchmark.test_stream, strict=True):
        train_classes = {label for _, label in _ids_and_labels(train)}
        assert train_classes == {label for _, label in _ids_and_labels(test)}


def test_class_order_and_names_describe_the_experiences(data: ImageData) -> None:
    benchmark = _stream(data, 3)
    assert benchmark.class_names == data.class_names
    assert len(benchmark.class_order) == 3
    for order, experience in zip(
        benchmark.class_order, benchmark.train_stream, strict=True
    ):
        assert sorted(order) == sorted({y for _, y in _ids_and_labels(experience)})
        assert sorted(order) == sorted(experience.classes_in_this_experience)


def test_the_seed_determines_the_order(data: ImageData) -> None:
    orders = [_stream(data, 5, seed).class_order for seed in range(4)]
    assert [_stream(data, 5, seed).class_order for seed in range(4)] == orders
    assert all(orders[0] != other for other in orders[1:])


def test_one_seed_gives_one_permutation_whatever_the_cut(data: ImageData) -> None:
    fine, coarse = _stream(data, 10).class_order, _stream(data, 3).class_order
    assert [c for part in fine for c in part] == [c for part in coarse for c in part]


def test_global_generators_stay_untouched(data: ImageData) -> None:
    def noisy(image: Any) -> Tensor:
        noise = random.random() + np.random.rand()  # noqa: NPY002
        return PLAIN(image) + torch.rand(3, SIZE, SIZE) + noise

    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    class_incremental(
        data,
        experiences=3,
        train_transform=TwoViews(noisy),
        eval_transform=noisy,
        seed=7,
    )
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_the_global_seed_does_not_matter(data: ImageData) -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    once = _stream(data, 5).class_order
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert _stream(data, 5).class_order == once


def test_train_group_gives_views_and_eval_group_images(data: ImageData) -> None:
    for stream in (_stream(data, 3).train_stream, _stream(data, 3).test_stream):
        for experience in stream:
            assert experience.dataset.train()[0][0].shape == (2, 3, SIZE, SIZE)
            assert experience.dataset.eval()[0][0].shape == (3, SIZE, SIZE)


@pytest.mark.parametrize("experiences", [-1, 0, 11])
def test_an_impossible_number_of_experiences_is_refused(
    data: ImageData, experiences: int
) -> None:
    with pytest.raises(
        ValueError, match=rf"^{experiences} experiences .* 10 classes.* 1 and 10"
    ):
        _stream(data, experiences)


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
    data: ImageData, transform: Any, got: str
) -> None:
    with pytest.raises(ValueError, match=rf"^train_transform .*{got}.*TwoViews"):
        class_incremental(
            data, experiences=2, train_transform=transform, eval_transform=PLAIN
        )


@pytest.mark.parametrize(
    ("transform", "got"),
    [
        (VIEWS, r"\(2, 3, 6, 6\)"),
        (_as_list, "list"),
        (lambda image: image, "Image"),
    ],
)
def test_an_eval_transform_without_a_plain_image_is_refused(
    data: ImageData, transform: Any, got: str
) -> None:
    with pytest.raises(ValueError, match=rf"^eval_transform .*{got}"):
        class_incremental(
            data, experiences=2, train_transform=VIEWS, eval_transform=transform
        )


@pytest.mark.parametrize("size", [(6, 8), (8, 6)])
def test_images_smaller_than_the_crop_are_refused(
    data: ImageData, size: tuple[int, int]
) -> None:
    crop = transforms.Compose([transforms.RandomResizedCrop(size), PLAIN])
    message = f"6x6 px are smaller than the crop of {size[0]}x{size[1]} px"
    with pytest.raises(ValueError, match=message):
        class_incremental(
            data, experiences=2, train_transform=TwoViews(crop), eval_transform=PLAIN
        )


def test_a_crop_of_the_whole_image_is_accepted(data: ImageData) -> None:
    crop = transforms.Compose([transforms.RandomResizedCrop(SIZE), PLAIN])
    benchmark = class_incremental(
        data, experiences=2, train_transform=TwoViews(crop), eval_transform=PLAIN
    )
    assert len(benchmark.train_stream) == len(benchmark.test_stream) == 2
