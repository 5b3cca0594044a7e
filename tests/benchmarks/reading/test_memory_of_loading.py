"""Loading images from files for many epochs takes no more memory than for one."""

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from avalanche.core import SupervisedPlugin
from PIL import Image

from avalanche_pnr import data_incremental, make_eval_transform, make_ssl_transform
from avalanche_pnr.benchmarks import FileImages, ImageData
from tests.conftest import Strategy, tiny_simclr

IMAGES, SIDE, EPOCHS = 24, 600, 13
GREY: Any = {"mean": (0.5,) * 3, "std": (0.3,) * 3}


class Memory(SupervisedPlugin):  # type: ignore[misc]
    """What every process holds and has open at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[set[int]] = []
        self.bytes: list[int] = []
        self.files: list[int] = []

    def after_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
        gc.collect()
        this = psutil.Process(os.getpid())
        everyone = [this, *this.children()]
        self.processes.append({each.pid for each in everyone})
        self.bytes.append(sum(each.memory_full_info().uss for each in everyone))
        self.files.append(sum(each.num_fds() for each in everyone))


@pytest.mark.slow
def test_neither_memory_nor_open_files_grow_over_epochs(
    tmp_path: Path, make_strategy: Strategy
) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(IMAGES)]
    rng = np.random.default_rng(0)
    for path in paths:
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    images = FileImages(paths, [0] * IMAGES)
    experience = data_incremental(
        ImageData.from_images("here", images, images),
        n_experiences=1,
        train_transform=make_ssl_transform(8, **GREY),
        eval_transform=make_eval_transform(**GREY),  # images are not reduced
    ).train_stream[0]
    memory = Memory()
    strategy = make_strategy(
        tiny_simclr(), plugins=[memory], train_epochs=EPOCHS, train_mb_size=8
    )
    strategy.train(experience, num_workers=2)
    assert len(memory.processes[0]) >= 3
    assert memory.processes == memory.processes[:1] * EPOCHS
    assert memory.files[-1] <= memory.files[2]
    one_epoch = IMAGES * SIDE * SIDE * 3
    # Ten epochs later; what allocators keep differs from epoch to epoch.
    assert memory.bytes[-1] - memory.bytes[2] < 2 * one_epoch
