"""Memories of red or of blue images, for processes that save and ones that load."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.plugins import ReplayPlugin
from torchvision import transforms

from avalanche_pnr import (
    CroMoMixupPlugin,
    DERPlugin,
    LUMPPlugin,
    OsirisPlugin,
    PNRPlugin,
    SelfSupervised,
    TwoViews,
    class_incremental,
)
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.runs.files import save_state
from tests.conftest import tiny_simclr

MEMORIES = {
    "der": lambda: DERPlugin(mem_size=12),
    "lump": lambda: LUMPPlugin(mem_size=12),
    "cromo": lambda: CroMoMixupPlugin(mem_size=12),
    "osiris": lambda: OsirisPlugin(mem_size=12),
    "replay": lambda: ReplayPlugin(mem_size=12),
}
RED, BLUE = 0, 2


def benchmark(channel: int) -> CLScenario:
    """Four experiences of 16 images of one class, all of one colour."""
    rng, labels = np.random.default_rng(0), np.arange(64) % 4
    images = np.zeros((64, 8, 8, 3), np.uint8)
    images[..., channel] = rng.integers(100, 256, (64, 8, 8))
    data = ImageData.from_arrays(
        "coloured", (images, labels, labels), (images[:4], labels[:4], labels[:4])
    )
    crop = transforms.Compose(
        [transforms.RandomResizedCrop(8, (0.5, 1.0)), transforms.ToTensor()]
    )
    return class_incremental(
        data,
        n_experiences=4,
        train_transform=TwoViews(crop),
        eval_transform=transforms.ToTensor(),
    )


def made(memory: str) -> SelfSupervised:
    torch.manual_seed(0)
    model = tiny_simclr()
    return SelfSupervised(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        train_mb_size=8,
        plugins=[PNRPlugin(predictor_hidden_dim=16), MEMORIES[memory]()],
        evaluator=None,
    )


def remembered(strategy: SelfSupervised) -> Any:
    """The images that the strategy's memory holds."""
    for plugin in strategy.plugins:
        if isinstance(plugin, ReplayPlugin):
            return plugin.storage_policy.buffer
        if hasattr(plugin, "memory"):
            return plugin.memory.dataset
    raise AssertionError("there is no memory")


if __name__ == "__main__":
    for name in MEMORIES:
        strategy, stream = made(name), benchmark(RED).train_stream
        for experience in stream[:3]:
            strategy.train(experience)
        save_state(Path(sys.argv[1]) / f"{name}.pt", strategy.state_dict())
