"""Whole steps of a recipe with its views, and the time spent waiting for them."""

import time
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from avalanche_pnr import SelfSupervised, class_incremental
from avalanche_pnr.benchmarks import ImageData
from experiments.builders import make_method
from experiments.measurements.speed.measure import Setting, Work, ratio, seconds
from experiments.measurements.speed.pipelines import (
    BATCHED,
    KORNIA,
    PER_IMAGE,
    configuration,
    pipelines,
)
from experiments.measurements.speed.table import Table
from experiments.measurements.speed.views import photographs

RECIPES = {
    "short, for a CPU": ("method=mocov2plus", "data=cifar100"),
    "published": ("+recipe=cifar100/mocov2plus",),
}
"""Recipes of MoCoV2+ with PNR on images of 32 px."""

BATCH = {"cpu": 32, "cuda": 256}
BATCHES = {"short, for a CPU": 24, "published": 2}


class Watched(SelfSupervised):
    """Measures the time for which each training waits for its batches.

    The first batch, for which processes are started, does not count.

    Attributes:
        waited: Seconds from the end of a step to the next batch, in each training.
        total: Seconds from the first batch's end on, in each training.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.waited: list[float] = []
        self.total: list[float] = []

    def _before_training_exp(self, **kwargs: Any) -> None:
        self.waited.append(0.0)
        self.total.append(0.0)
        self._ended: float | None = None
        super()._before_training_exp(**kwargs)

    def _unpack_minibatch(self) -> None:
        if self._ended is not None:
            self.waited[-1] += time.perf_counter() - self._ended
        super()._unpack_minibatch()

    def _after_training_iteration(self, **kwargs: Any) -> None:
        super()._after_training_iteration(**kwargs)
        now = time.perf_counter()
        if self._ended is not None:
            self.total[-1] += now - self._ended
        self._ended = now


def measure(setting: Setting) -> Table:
    """Measure training by three pipelines in turn, without and with a worker."""
    names = list(RECIPES)[:1] if setting.quick else list(RECIPES)
    rows = [row for name in names for row in _rows(name, setting)]
    return Table(
        "Training: waits as part of the time, and the training process's time", rows
    )


def _rows(name: str, setting: Setting) -> list[dict[str, Any]]:
    config, device = configuration(*RECIPES[name]), setting.device
    batch = BATCH[device.type]
    images = photographs(batch * (4 if setting.quick else BATCHES[name]), 32)
    strategies: dict[str, Watched] = {}
    contestants: dict[str, Work] = {}
    for views, transform in pipelines(config.data).items():
        data = ImageData.from_images("photographs", images, images)
        data = data if views == PER_IMAGE else data.in_memory(device)
        stream = class_incremental(
            data,
            n_experiences=1,
            train_transform=transform,
            eval_transform=instantiate(config.data.eval_view),
        ).train_stream
        for workers in _workers(views, device):
            way = f"{views}, workers={workers}"
            strategies[way] = _strategy(config, batch, device)
            contestants[way] = _training(strategies[way], stream[0], workers)
    taken = seconds(contestants, setting)
    return [
        {
            "recipe": name,
            "views": way,
            "waits": ratio(each.waited[1:], each.total[1:]),
            "time / batched": ratio(taken[way], taken[f"{BATCHED}, workers=0"]),
        }
        for way, each in strategies.items()
    ]


def _workers(views: str, device: torch.device) -> tuple[int, ...]:
    """Numbers of workers to try; workers do not reach images on a GPU."""
    if views == KORNIA or (views == BATCHED and device.type == "cuda"):
        return (0,)
    return (0, 1) if device.type == "cpu" else (0, 8)


def _strategy(config: DictConfig, batch: int, device: torch.device) -> Watched:
    model = make_method(config)
    strategy = Watched(
        model=model,
        optimizer=instantiate(config.optimizer)(model.parameters()),
        train_mb_size=batch,
        device=device,
        precision=instantiate(config.precision),
        plugins=instantiate(config.plugins.pnr),
        evaluator=None,
    )
    strategy.past_model.snapshot(model.to(device))
    return strategy


def _training(strategy: SelfSupervised, experience: Any, workers: int) -> Work:
    return lambda: strategy.train(experience, num_workers=workers)
