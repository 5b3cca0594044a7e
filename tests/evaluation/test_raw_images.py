from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.benchmarks.utils import concat_datasets
from avalanche.benchmarks.utils.utils import as_classification_dataset
from PIL import Image
from torchvision.transforms import ToTensor

from avalanche_pnr import TwoViews, with_multiview
from avalanche_pnr.benchmarks.streams.raw_images import raw_images


def _pixels(image: Any) -> np.ndarray:
    assert isinstance(image, Image.Image)
    return np.array(image)


def _whole(benchmark: CLScenario) -> Any:
    return concat_datasets([each.dataset.eval() for each in benchmark.train_stream])


LAYERS: dict[str, Callable[[CLScenario], Any]] = {
    "of an experience": lambda benchmark: benchmark.train_stream[2].dataset,
    "put together": _whole,
    "cut again": lambda benchmark: _whole(benchmark).subset(range(40, 5, -3)),
    "cut and put together": lambda benchmark: concat_datasets(
        [_whole(benchmark).subset(range(9)), benchmark.train_stream[1].dataset.eval()]
    ),
    "with views": lambda benchmark: _whole(
        with_multiview(benchmark, TwoViews(ToTensor()))
    ),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_images_come_as_they_were_however_they_were_cut(
    benchmark: CLScenario, make: Callable[[CLScenario], Any]
) -> None:
    dataset = make(benchmark)
    raw = raw_images(dataset, "eval")
    assert len(raw) == len(dataset)
    for (pixels, *rest), (image, *expected) in zip(raw, dataset.eval(), strict=True):
        assert rest == expected
        assert torch.equal(ToTensor()(_pixels(pixels)), image)


def test_targets_keep_their_transform_and_the_data_set_its_own() -> None:
    images = [(Image.new("RGB", (2, 2), (value, 0, 0)), value) for value in range(3)]
    groups = {"train": (ToTensor(), None), "eval": (ToTensor(), lambda y: y + 10)}
    dataset = as_classification_dataset(_Listed(images), groups)
    raw = raw_images(dataset, "eval")
    assert [int(_pixels(image)[0, 0, 0]) for image, *_ in raw] == [0, 1, 2]
    assert [label for _, label, *_ in raw] == [10, 11, 12]
    assert all(image.shape == (3, 2, 2) for image, *_ in dataset)


class _Listed(list[Any]):
    @property
    def targets(self) -> list[int]:
        return [label for _, label in self]
