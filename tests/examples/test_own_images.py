from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.examples.scripts import accuracies, run

CLASSES = ("ant", "bee", "cat", "dog", "elk", "fox")


def test_a_folder_of_images_is_learnt_class_by_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / name).mkdir()
        for number in range(10):
            pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.jpg")
    run(
        "own_images",
        str(tmp_path),
        *("--image-size", "16", "--experiences", "3", "--epochs", "1"),
        *("--batch-size", "8"),
    )
    printed = capsys.readouterr().out
    assert len(accuracies(printed)) == 3
    assert all(name in printed for name in CLASSES)
