"""Cost of saving and reading states."""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.evaluation.metrics import loss_metrics
from avalanche.training.plugins import EvaluationPlugin
from omegaconf import OmegaConf
from torch import nn
from torch.optim import SGD
from torch.utils.data import TensorDataset

from avalanche_pnr import MoCoV2Plus, PNRPlugin, SelfSupervised, resnet18, resnet_small
from avalanche_pnr.runs.files import load_state, save_state
from experiments.measurements.speed.measure import Setting, Work
from experiments.measurements.speed.table import Cell, Table
from experiments.overrides import CONF


def measure(setting: Setting) -> Table:
    """Measure saving and reading a state of the CIFAR-100 recipe with PNR.

    The past model is included. The time is wall time, as it includes the disk.
    """
    backbone = resnet_small() if setting.quick else resnet18(small_images=True)
    strategy = _strategy(backbone, setting.device)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "state.pt"
        save = [
            _wall(lambda: save_state(path, strategy.state_dict()))
            for _ in range(setting.rounds)
        ]
        read = [_wall(lambda: load_state(path)) for _ in range(setting.rounds)]
        size = path.stat().st_size / 2**20
    minutes = OmegaConf.load(CONF / "config.yaml").save_every_minutes
    took = statistics.median(save)
    row: dict[str, Cell] = {
        "MB": size,
        "s to save": took,
        "s to read": statistics.median(read),
        f"% of {minutes} minutes": 100 * took / (60 * minutes),
    }
    return Table(f"Saving: {type(strategy.model).__name__} with PNR, wall time", [row])


def _wall(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _strategy(backbone: nn.Module, device: torch.device) -> SelfSupervised:
    """Make a strategy in the second experience, after a step."""
    torch.manual_seed(0)
    views = torch.rand(16, 2, 3, 32, 32)
    data = AvalancheDataset([TensorDataset(views, torch.zeros(16))])
    method = MoCoV2Plus(backbone, queue_length=65536)
    strategy = SelfSupervised(
        model=method,
        optimizer=SGD(method.parameters(), lr=0.01, momentum=0.9),
        train_mb_size=8,
        device=device,
        plugins=[PNRPlugin()],
        evaluator=EvaluationPlugin(loss_metrics(epoch=True)),
    )
    for experience in benchmark_from_datasets(train=[data] * 2).train_stream:
        strategy.train(experience)
    return strategy
