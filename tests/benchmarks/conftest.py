"""Images of one grey value each, which tells them apart in any stream."""

from typing import Any

import numpy as np
import pytest
from torchvision import transforms

from avalanche_pnr import TwoViews
from avalanche_pnr.benchmarks import ImageData

CLASSES, DOMAINS, SIZE = 10, 3, 6
TRAIN_IMAGES, TEST_IMAGES, FIRST_TEST_ID = 60, 30, 100
PLAIN = transforms.ToTensor()
VIEWS = TwoViews(PLAIN)
TRANSFORMS = {"train_transform": VIEWS, "eval_transform": PLAIN}


def _arrays(images: int, first_id: int) -> tuple[Any, Any, Any]:
    """Classes and domains that change from image to image."""
    ids = np.arange(first_id, first_id + images, dtype=np.uint8)
    x = np.broadcast_to(ids[:, None, None, None], (images, SIZE, SIZE, 3)).copy()
    number = np.arange(images)
    return x, number % CLASSES, number // 2 % DOMAINS


@pytest.fixture(scope="session")
def data() -> ImageData:
    return ImageData.from_arrays(
        "here",
        _arrays(TRAIN_IMAGES, 0),
        _arrays(TEST_IMAGES, FIRST_TEST_ID),
        [f"class {number}" for number in range(CLASSES)],
        ["ink", "oil", "pen"],
    )


def ids_and_labels(experience: Any) -> list[tuple[int, int]]:
    dataset = experience.dataset.eval()
    samples = [dataset[index] for index in range(len(dataset))]
    return [(round(x[0, 0, 0].item() * 255), int(y)) for x, y, *_ in samples]
