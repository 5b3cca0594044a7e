"""Real steps of training, with their time and the bytes that each process sends."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.core import SupervisedPlugin
from torch.utils.data import TensorDataset

from avalanche_pnr import LARS, PNRPlugin, SelfSupervised
from avalanche_pnr.methods import SelfSupervisedMethod

WARM_UP = 2
"""Number of steps after which DistributedDataParallel has ordered its gradients."""

Sent = Callable[[], int]
"""Function that returns the bytes that this process has sent so far."""


class Step(NamedTuple):
    """An average step.

    Attributes:
        sent: Bytes that this process has sent.
        seconds: Its duration in seconds.
    """

    sent: float
    seconds: float


class Meter(SupervisedPlugin):
    """Plugin that notes bytes sent and time after each step.

    Args:
        sent: Function that counts the bytes.
    """

    def __init__(self, sent: Sent) -> None:
        super().__init__()
        self.supports_distributed = True
        self.marks: list[Step] = []
        self._sent = sent

    def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Begin anew: the last experience counts."""
        self.marks = []

    def after_training_iteration(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Note bytes and time at the end of the step."""
        self.marks.append(Step(self._sent(), time.perf_counter()))

    def average(self) -> Step:
        """A step of the last experience, without the first ones."""
        first, last = self.marks[WARM_UP - 1], self.marks[-1]
        steps = len(self.marks) - WARM_UP
        return Step(*((b - a) / steps for a, b in zip(first, last, strict=True)))


def measured(
    method: SelfSupervisedMethod,
    batch: int,
    steps: int,
    sent: Sent,
    predictor_hidden_dim: int = 2048,
) -> Step:
    """Train with PNR on one batch, and then for the steps that count.

    Called by all processes.

    Args:
        method: Method without its predictor g, which is added.
        batch: Number of images in a batch, over all processes.
        steps: Number of steps that count.
        sent: Function that counts the bytes.
        predictor_hidden_dim: Width of g's hidden layer.
    """
    meter = Meter(sent)
    strategy = SelfSupervised(
        model=method,
        optimizer=LARS(method.parameters(), lr=1e-3),
        train_mb_size=batch,
        plugins=[PNRPlugin(predictor_hidden_dim=predictor_hidden_dim), meter],
        evaluator=None,
    )
    for experience in _noise(batch, batch * (WARM_UP + steps)).train_stream:
        strategy.train(experience)
    return meter.average()


def written_bytes() -> int:
    """Bytes that this process has written, to sockets and files, as Linux counts."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def interface_bytes(name: str) -> int:
    """Bytes that a network interface has sent.

    Raises:
        KeyError: If this process does not see it.
    """
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    counts = dict(line.strip().split(":") for line in lines)
    return int(counts[name].split()[8])


def _noise(*images: int) -> CLScenario:
    """Experiences of some views each, 32 px, without labels."""
    datasets = [
        AvalancheDataset(
            [TensorDataset(torch.randn(size, 2, 3, 32, 32), -torch.ones(size).long())]
        )
        for size in images
    ]
    return benchmark_from_datasets(train=datasets)
