"""Real steps of training, with what each process has sent and how long they took."""

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
"""Steps after which DistributedDataParallel has put its gradients in order."""

Sent = Callable[[], int]
"""Bytes that this process has sent so far."""


class Step(NamedTuple):
    """A step as it was on average.

    Attributes:
        sent: Bytes that this process has sent.
        seconds: How long it took.
    """

    sent: float
    seconds: float


class Meter(SupervisedPlugin):
    """Notes after each step what has been sent by then, and the time.

    Args:
        sent: Where bytes are counted.
    """

    def __init__(self, sent: Sent) -> None:
        super().__init__()
        self.supports_distributed = True
        self.marks: list[Step] = []
        self._sent = sent

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Begin anew: the last experience counts."""
        self.marks = []

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        """Note where the step has ended."""
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
    """Train with PNR on one batch, and then on as many as there are steps.

    Called by all processes.

    Args:
        method: Without its predictor g, which it has in the end.
        batch: Images in a batch, of all processes.
        steps: Steps that count.
        sent: Where bytes are counted.
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
