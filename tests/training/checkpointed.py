"""Runs that stop after two experiences and go on in another process.

``python -m tests.training.checkpointed FOLDER`` continues those whose checkpoints lie
in the folder, and writes what they end with.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from avalanche.benchmarks import CLScenario, with_task_labels
from avalanche.benchmarks.scenarios.task_aware import task_incremental_benchmark
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.checkpointing import maybe_load_checkpoint, save_checkpoint
from avalanche.training.plugins import (
    EWCPlugin,
    GDumbPlugin,
    MASPlugin,
    ReplayPlugin,
)
from avalanche.training.storage_policy import ReservoirSamplingBuffer
from torch import Tensor
from torch.optim import Optimizer
from torchvision import transforms

from avalanche_pnr import (
    LARS,
    CaSSLePlugin,
    KNNProbe,
    OnlineProbe,
    PNRPlugin,
    ProbePlugin,
    SelfSupervised,
    TwoViews,
    WarmupCosinePlugin,
    class_incremental,
)
from tests.conftest import METHODS, digits_of_each_class

EXPERIENCES = 4


def pnr() -> PNRPlugin:
    return PNRPlugin(predictor_hidden_dim=16)


COMBINATIONS: dict[str, tuple[str, Callable[[Any], list[Any]]]] = {
    "replay": ("moco", lambda _: [pnr(), ReplayPlugin(mem_size=30)]),
    "reservoir": (
        "vicreg",
        lambda _: [pnr(), ReplayPlugin(30, storage_policy=ReservoirSamplingBuffer(30))],
    ),
    "schedule": (
        "barlow",
        lambda _: [pnr(), WarmupCosinePlugin(warmup_epochs=1), MASPlugin()],
    ),
    "ewc": ("byol", lambda _: [CaSSLePlugin(), EWCPlugin(ewc_lambda=1.0)]),
    "gdumb": ("moco", lambda _: [GDumbPlugin(mem_size=60)]),
    "moving average": (
        "moco",
        lambda _: [PNRPlugin(predictor_hidden_dim=16, past="ema", ema_decay=0.8)],
    ),
    "task labels": ("simclr", lambda _: [pnr(), ReplayPlugin(mem_size=30)]),
    "probe": (
        "moco",
        lambda probed: [pnr(), ProbePlugin(probed, [KNNProbe(), OnlineProbe()])],
    ),
}


def make(name: str, seed: int) -> tuple[SelfSupervised, CLScenario]:
    crop = transforms.RandomResizedCrop(8, (0.5, 1.0))
    to_tensor = transforms.ToTensor()
    benchmark = class_incremental(
        digits_of_each_class(48, 6),
        n_experiences=10,
        train_transform=TwoViews(transforms.Compose([crop, to_tensor])),
        eval_transform=to_tensor,
    )
    method, plugins = COMBINATIONS[name]
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    model = METHODS[method]()
    strategy = SelfSupervised(
        model=model,
        optimizer=LARS(model.parameters(), lr=0.3),
        train_mb_size=24,
        train_epochs=2,
        plugins=plugins(benchmark.probe_stream[:3]),
        evaluator=None,
    )
    if name == "task labels":
        benchmark = with_task_labels(task_incremental_benchmark(benchmark))
    return strategy, benchmark


def go_on(name: str, seed: int, file: Path, until: int) -> dict[str, Any]:
    """Train from the checkpoint, if there is one, and leave another.

    Returns:
        What the run ends with.
    """
    strategy, benchmark = make(name, seed)
    strategy, done = maybe_load_checkpoint(strategy, file)
    for experience in benchmark.train_stream[done:until]:
        strategy.train(experience)
        if name == "probe":
            strategy.eval(benchmark.test_stream[:2])
    save_checkpoint(strategy, file)
    generators = (torch.get_rng_state(), random.getstate(), np.random.get_state())  # noqa: NPY002
    return everything({"strategy": strategy, "generators": generators})


def everything(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """All tensors and plain data in an object, as tensors and plain data."""
    if isinstance(value, Tensor | str | int | float | None):
        return value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if id(value) in seen or isinstance(value, FunctionType | MethodType | type):
        return type(value).__name__
    seen |= {id(value)}
    if isinstance(value, Optimizer):
        value = value.state_dict()
    if isinstance(value, AvalancheDataset):
        value = list(value.eval())
    if isinstance(value, dict):
        keys = [key if isinstance(key, str | int) else "-" for key in value]
        pairs = zip(keys, value.values(), strict=True)
        return [(key, everything(each, seen)) for key, each in pairs]
    if isinstance(value, set):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [everything(each, seen) for each in value]
    state = getattr(value, "__dict__", {})
    return [type(value).__name__, everything(dict(sorted(state.items())), seen)]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in COMBINATIONS:
        ended = go_on(name, 1, folder / f"{name}.checkpoint", EXPERIENCES)
        torch.save(ended, folder / f"{name}.pt")
