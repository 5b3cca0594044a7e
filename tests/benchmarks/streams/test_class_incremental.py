from pathlib import Path
from typing import Any

import numpy as np
import pytest
from avalanche.benchmarks import CLScenario, class_incremental_benchmark
from avalanche.benchmarks.classic import SplitCIFAR100
from avalanche.benchmarks.datasets.external_datasets import cifar
from avalanche.benchmarks.utils.utils import as_classification_dataset

from avalanche_pnr.benchmarks import ImageData, class_incremental, with_multiview
from tests.benchmarks.classic import save_cifar100
from tests.benchmarks.conftest import (
    CLASSES,
    PLAIN,
    TRANSFORMS,
    VIEWS,
    ids_and_labels,
)


def _stream(data: ImageData, experiences: int, seed: int = 0) -> CLScenario:
    return class_incremental(data, n_experiences=experiences, seed=seed, **TRANSFORMS)


@pytest.mark.parametrize(
    ("experiences", "sizes"),
    [(1, [10]), (3, [4, 3, 3]), (4, [3, 3, 2, 2]), (5, [2] * 5), (10, [1] * 10)],
)
def test_each_class_is_in_exactly_one_experience(
    data: ImageData, experiences: int, sizes: list[int]
) -> None:
    benchmark = _stream(data, experiences)
    for stream in (benchmark.train_stream, benchmark.test_stream):
        classes = [{y for _, y in ids_and_labels(experience)} for experience in stream]
        assert [len(part) for part in classes] == sizes
        assert sorted(c for part in classes for c in part) == list(range(CLASSES))


def test_train_and_test_experiences_have_the_same_classes(data: ImageData) -> None:
    benchmark = _stream(data, 4)
    for train, test in zip(benchmark.train_stream, benchmark.test_stream, strict=True):
        train_classes = {label for _, label in ids_and_labels(train)}
        assert train_classes == {label for _, label in ids_and_labels(test)}


def test_the_class_order_describes_the_experiences(data: ImageData) -> None:
    benchmark = _stream(data, 3)
    assert len(benchmark.class_order) == 3
    for order, experience in zip(
        benchmark.class_order, benchmark.train_stream, strict=True
    ):
        assert sorted(order) == sorted({y for _, y in ids_and_labels(experience)})
        assert sorted(order) == sorted(experience.classes_in_this_experience)


def test_the_seed_determines_the_order(data: ImageData) -> None:
    orders = [_stream(data, 5, seed).class_order for seed in range(4)]
    assert [_stream(data, 5, seed).class_order for seed in range(4)] == orders
    assert all(orders[0] != other for other in orders[1:])


def test_one_seed_gives_one_permutation_whatever_the_cut(data: ImageData) -> None:
    fine, coarse = _stream(data, 10).class_order, _stream(data, 3).class_order
    assert [c for part in fine for c in part] == [c for part in coarse for c in part]


@pytest.mark.parametrize(
    ("experiences", "message"),
    [
        (-1, r"^n_experiences=-1 must be 1 at least \(stream\.n_experiences=1\)"),
        (0, r"^n_experiences=0 must be 1 at least \(stream\.n_experiences=1\)"),
        (11, r"^11 experiences .* 10 classes: write n_experiences=10 or less"),
    ],
)
def test_an_impossible_number_of_experiences_is_refused(
    data: ImageData, experiences: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _stream(data, experiences)


def test_images_are_ordered_as_avalanche_orders_them(data: ImageData) -> None:
    groups = {"train": (VIEWS, None), "eval": (PLAIN, None)}
    ours = _stream(data, 4)
    theirs = class_incremental_benchmark(
        {
            "train": as_classification_dataset(data.train, groups),
            "test": as_classification_dataset(data.test, groups).eval(),
        },
        class_order=[c for part in ours.class_order for c in part],
        num_classes_per_exp=[len(part) for part in ours.class_order],
    )
    for name in ("train", "test"):
        for new, known in zip(ours.streams[name], theirs.streams[name], strict=True):
            assert ids_and_labels(new) == ids_and_labels(known)
            assert new.previous_classes == known.previous_classes
            assert new.future_classes == known.future_classes


def test_test_experiences_keep_the_task_label_of_their_classes(data: ImageData) -> None:
    """Also where one of the experiences before has no test images."""
    test = [(np.asarray(image), label) for image, label in data.test if label > 1]
    train = [(np.asarray(image), label) for image, label in data.train]
    arrays = [
        tuple(map(np.asarray, zip(*images, strict=True))) for images in (train, test)
    ]
    with pytest.warns(UserWarning, match=r"experiences \[1\] have no test images"):
        benchmark = class_incremental(
            ImageData.from_arrays("partly tested", *arrays),
            n_experiences=5,
            fixed_class_order=range(CLASSES),
            return_task_id=True,
            **TRANSFORMS,
        )
    assert [each.task_label for each in benchmark.train_stream] == [0, 1, 2, 3, 4]
    assert [each.task_label for each in benchmark.test_stream] == [1, 2, 3, 4]
    for experience in benchmark.test_stream:
        classes = {label for _, label in ids_and_labels(experience)}
        assert {label // 2 for label in classes} == {experience.task_label}


def test_task_labels_are_those_of_avalanches_own_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same order of classes gives the same tasks, sample for sample."""
    save_cifar100(tmp_path, monkeypatch)
    order = [3, 1, 4, 0, 5, 2]
    options = {"fixed_class_order": order, "return_task_id": True}
    theirs = SplitCIFAR100(
        3, dataset_root=tmp_path, train_transform=PLAIN, eval_transform=PLAIN, **options
    )
    data = ImageData.from_datasets(
        "cifar", *(cifar.CIFAR100(tmp_path, train=part) for part in (True, False))
    )
    ours = class_incremental(data, n_experiences=3, **options, **TRANSFORMS)
    for name in ("train", "test"):
        for new, known in zip(ours.streams[name], theirs.streams[name], strict=True):
            assert new.task_labels == known.task_labels
            assert new.task_label == known.task_label
            assert sorted(_samples(new)) == sorted(_samples(known))
    with_views = with_multiview(theirs, VIEWS)
    for new, known in zip(with_views.train_stream, ours.train_stream, strict=True):
        assert new.task_labels == known.task_labels
        assert sorted(_samples(new)) == sorted(_samples(known))
        assert new.dataset[0][0].shape == known.dataset[0][0].shape


def _samples(experience: Any) -> list[tuple[int, int, int]]:
    dataset = experience.dataset.eval()
    samples = [dataset[index] for index in range(len(dataset))]
    return [(round(x[0, 0, 0].item() * 255), int(y), int(t)) for x, y, t in samples]
