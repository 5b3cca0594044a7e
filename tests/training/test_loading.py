"""Views of single images, made by processes while the networks train."""

import os
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import ReplayPlugin
from avalanche.training.templates.base_sgd import BaseSGDTemplate
from torch import Tensor

from avalanche_pnr import class_incremental
from avalanche_pnr.benchmarks import ImageData
from tests.conftest import Strategy, tiny_simclr
from tests.training.batches import Batches

SHAPE = (2, 3, 8, 8)


def plain(image: Any) -> Tensor:
    return torch.zeros(3, 8, 8)


def process(image: Any) -> Tensor:
    """Views that show in which process they were made."""
    return torch.rand(SHAPE) + os.getpid()


def test_processes_stay_over_the_epochs_of_an_experience(
    few_digits: ImageData, make_strategy: Strategy
) -> None:
    transforms = {"train_transform": process, "eval_transform": plain}
    stream = class_incremental(few_digits, n_experiences=5, **transforms).train_stream
    batches = Batches()
    plugins = [ReplayPlugin(mem_size=20, batch_size_mem=8), batches]
    strategy = make_strategy(tiny_simclr(), plugins=plugins, train_epochs=3, lr=0.0)
    for experience in stream[:3]:
        batches.views.clear()
        strategy.train(experience, num_workers=2)
        makers = torch.cat(batches.views).amin(dim=(1, 2, 3, 4)).int().unique().tolist()
        assert len(batches.views) == 9  # 3 epochs
        assert len(makers) == 2  # and not two an epoch
        assert os.getpid() not in makers


def test_views_of_later_batches_are_made_while_one_is_trained_on(
    few_digits: ImageData, make_strategy: Strategy
) -> None:
    made = torch.zeros(1, dtype=torch.int).share_memory_()

    def count(image: Any) -> Tensor:
        made.add_(1)
        return torch.rand(SHAPE)

    class Wait(SupervisedPlugin):
        """Trains on the first batch until others are there."""

        def before_forward(self, strategy: Any, **kwargs: Any) -> None:
            deadline = time.monotonic() + 300
            while made < 48 and time.monotonic() < deadline:
                time.sleep(0.01)

    transforms = {"train_transform": count, "eval_transform": plain}
    stream = class_incremental(few_digits, n_experiences=5, **transforms).train_stream
    made.zero_()
    strategy = make_strategy(tiny_simclr(), plugins=[Wait()])
    seen: list[int] = []

    class Look(SupervisedPlugin):
        def before_backward(self, strategy: Any, **kwargs: Any) -> None:
            seen.append(int(made))

    strategy.plugins.append(Look())
    strategy.train(stream[0], num_workers=1)
    assert seen == [48, 48, 48]  # of three batches of 16


@pytest.mark.parametrize(
    ("device", "workers", "pinned"),
    [("cuda", 2, True), ("cuda", 0, False), ("cpu", 2, False)],
)
def test_memory_is_pinned_where_processes_load_for_a_gpu(
    device: str,
    workers: int,
    pinned: bool,
    few_digits: ImageData,
    make_strategy: Strategy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}

    def make(strategy: Any, **kwargs: Any) -> None:
        asked.update(kwargs)
        strategy.dataloader = range(3)

    monkeypatch.setattr(BaseSGDTemplate, "make_train_dataloader", make)
    strategy = make_strategy(tiny_simclr())
    strategy.device = torch.device(device)  # which need not be there
    strategy.adapted_dataset = range(48)
    strategy.experience = SimpleNamespace(current_experience=0)
    strategy.make_train_dataloader(drop_last=True, num_workers=workers)
    assert asked["pin_memory"] is pinned
    asked.clear()
    strategy.make_train_dataloader(drop_last=True, num_workers=2, pin_memory=False)
    assert asked["pin_memory"] is False
