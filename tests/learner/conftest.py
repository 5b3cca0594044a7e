"""Digits as folders of images without labels, and small learners."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from avalanche_pnr import Learner

SETTINGS: dict[str, Any] = {
    "method": "vicreg",
    "backbone": "resnet_small",
    "image_size": 8,
    "backbone.width": 16,
    "method.hidden_dim": 32,
    "method.projection_dim": 32,
}
TRAINING: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "augment": "digits",
    "optimizer": "sgd",
    "predictor_hidden_dim": 16,
    "sample": 10,
    "device": "cpu",
}


def write_digits(
    folder: Path, classes: set[int], count: int = 40, skip: int = 0
) -> Path:
    """Images of some classes, two folders deep."""
    digits = load_digits()
    chosen = np.flatnonzero(np.isin(digits.target, list(classes)))[skip:][:count]
    for index in chosen:
        path = folder / f"day{index % 2}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[index] * 15.9).astype(np.uint8)).save(path)
    return folder


def write_photos(folder: Path) -> list[Path]:
    """Three folders of new classes."""
    return [write_digits(folder / f"photos{k}", {2 * k, 2 * k + 1}) for k in range(3)]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three folders of new classes."""
    return write_photos(tmp_path)


@pytest.fixture
def make_learner(tmp_path: Path) -> Callable[..., Learner]:
    """Opens a learner; ``said`` collects its lines."""

    def make(name: str = "learner", **settings: Any) -> Learner:
        said: list[str] = []
        learner = Learner(tmp_path / name, say=said.append, **{**SETTINGS, **settings})
        learner.said = said  # type: ignore[attr-defined]
        return learner

    return make


def command(values: dict[str, Any]) -> list[str]:
    """Options as the command line has them."""
    return [f"{name}={value}" for name, value in values.items()]
