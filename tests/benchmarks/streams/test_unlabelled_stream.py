"""Streams of images without labels, judged on labelled ones."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.evaluation.metrics import accuracy_metrics
from avalanche.training.plugins import EvaluationPlugin, ReplayPlugin
from torchvision import transforms

from avalanche_pnr import KNNProbe, PNRPlugin, ProbePlugin, TwoViews
from avalanche_pnr.benchmarks import (
    ArrayImages,
    ImageData,
    class_incremental,
    data_incremental,
    domain_incremental,
)
from tests.benchmarks.conftest import PLAIN, SIZE, TRANSFORMS, ids_and_labels

UNLABELLED, LABELLED, TESTED, CLASSES = 50, 12, 9, 3

Stream = Callable[..., CLScenario]


def _images(number: int, first_id: int, labelled: bool) -> ArrayImages:
    """Images with an id as their red and the class as another colour."""
    x = np.zeros((number, SIZE, SIZE, 3), dtype=np.uint8)
    x[..., 0] = np.arange(first_id, first_id + number)[:, None, None]
    y = np.arange(number) % CLASSES
    x[y == 1, ..., 1] = x[y == 2, ..., 2] = 255
    y = y if labelled else np.full(number, -1)
    return ArrayImages(x, y, np.arange(number) % 3)


@pytest.fixture
def unlabelled() -> ImageData:
    return ImageData.from_images(
        "here",
        _images(UNLABELLED, 0, labelled=False),
        _images(TESTED, 200, labelled=True),
        list("abc"),
        ["ink", "oil", "pen"],
        probe=_images(LABELLED, 100, labelled=True),
    )


@pytest.fixture(
    params=[
        pytest.param(partial(data_incremental, n_experiences=3), id="data"),
        pytest.param(domain_incremental, id="domain"),
    ]
)
def stream(request: pytest.FixtureRequest) -> Stream:
    return request.param


def test_every_unlabelled_image_is_trained_on_once(
    unlabelled: ImageData, stream: Stream
) -> None:
    benchmark = stream(unlabelled, **TRANSFORMS)
    assert len(benchmark.train_stream) == 3
    samples = [each for exp in benchmark.train_stream for each in ids_and_labels(exp)]
    assert sorted(samples) == [(number, -1) for number in range(UNLABELLED)]
    for experience in benchmark.train_stream:
        assert experience.dataset[0][0].shape == (2, 3, SIZE, SIZE)
        assert set(experience.dataset.targets) == {-1}


def test_the_probe_stream_is_the_labelled_set_in_one_experience(
    unlabelled: ImageData, stream: Stream
) -> None:
    (experience,) = stream(unlabelled, **TRANSFORMS).probe_stream
    assert ids_and_labels(experience) == [
        (100 + number, number % CLASSES) for number in range(LABELLED)
    ]
    assert experience.dataset[0][0].shape == (3, SIZE, SIZE)
    assert experience.classes_in_this_experience == set(range(CLASSES))


def test_names_and_split_are_those_of_the_data(
    unlabelled: ImageData, stream: Stream
) -> None:
    benchmark = stream(unlabelled, **TRANSFORMS)
    assert benchmark.class_names == ("a", "b", "c")
    indices = np.concatenate(benchmark.split["train"])
    assert sorted(indices) == list(range(UNLABELLED))


def test_cutting_unlabelled_images_by_class_is_refused(unlabelled: ImageData) -> None:
    with pytest.raises(ValueError, match=r"without a label .* use data_incremental"):
        class_incremental(unlabelled, n_experiences=3, **TRANSFORMS)


def test_cutting_images_with_some_labels_by_class_is_refused() -> None:
    train = _images(UNLABELLED, 0, labelled=True)
    train.targets[7] = -1
    test = _images(TESTED, 200, labelled=True)
    data = ImageData.from_images("here", train, test, probe=test)
    with pytest.raises(ValueError, match="use data_incremental"):
        class_incremental(data, n_experiences=3, **TRANSFORMS)


def test_labelled_data_may_be_probed_on_other_images() -> None:
    train, test = _images(30, 0, labelled=True), _images(TESTED, 200, labelled=True)
    probe = _images(LABELLED, 100, labelled=True)
    data = ImageData.from_images("here", train, test, probe=probe)
    benchmark = class_incremental(data, n_experiences=3, **TRANSFORMS)
    (experience,) = benchmark.probe_stream
    assert [image for image, _ in ids_and_labels(experience)] == [
        *range(100, 100 + LABELLED)
    ]
    assert [len(each.dataset) for each in benchmark.train_stream] == [10] * 3


def test_unlabelled_streams_train_and_are_judged(
    unlabelled: ImageData, stream: Stream, make_strategy: Any
) -> None:
    crop = transforms.Compose([transforms.RandomResizedCrop(SIZE), PLAIN])
    benchmark = stream(unlabelled, train_transform=TwoViews(crop), eval_transform=PLAIN)
    probe = ProbePlugin(benchmark.probe_stream, [KNNProbe(k=1)])
    strategy = make_strategy(
        plugins=[PNRPlugin(), ReplayPlugin(mem_size=8), probe],
        evaluator=EvaluationPlugin(accuracy_metrics(stream=True)),
        train_mb_size=8,
    )
    convolution = strategy.model.backbone[0].weight
    for experience in benchmark.train_stream:
        before = convolution.detach().clone()
        strategy.train(experience)
        assert not torch.equal(convolution, before)
        metrics = strategy.eval(benchmark.test_stream)
        assert metrics["Top1_Acc_Stream/eval_phase/test_stream"] > 0.6
    assert strategy.clock.train_exp_counter == 3
