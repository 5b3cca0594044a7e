"""Losses, forward and backward, compared with straightforward forms."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

import torch
from lightly.loss import BarlowTwinsLoss, VICRegLoss
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.losses import (
    barlow_twins_loss,
    moco_distillation,
    moco_loss,
    vicreg_loss,
)
from experiments.measurements.speed.measure import (
    Setting,
    Work,
    peak_memory,
    ratio,
    seconds,
)
from experiments.measurements.speed.straightforward import pnr_loss
from experiments.measurements.speed.table import Cell, Table

QUEUE_LENGTH = 65536
TEMPERATURE = 0.2
Loss = Callable[..., Tensor]


class Contest(NamedTuple):
    """Two forms of one loss, as functions of learnt and constant tensors."""

    name: str
    package: Loss
    rival: Loss
    learnt: list[Tensor]
    constant: list[Tensor]


def package_loss(
    q: Tensor, p: Tensor, k: Tensor, f: Tensor, queue: Tensor, past_queue: Tensor
) -> Tensor:
    """L1 + L2 of MoCoV2+ as the package computes them."""
    ssl_loss = moco_loss(q, k, [queue, past_queue], TEMPERATURE)
    return ssl_loss + moco_distillation(p, f, [past_queue, queue], TEMPERATURE)


def measure(setting: Setting) -> Table:
    """Measure both forms of each loss in turn."""
    batch = 32 if setting.quick else 256
    rows = [_compare(each, setting) for each in _contests(batch, setting.device)]
    return Table(f"Losses: N = {batch}, D = 128 (2048), K = {QUEUE_LENGTH}", rows)


def _contests(batch: int, device: torch.device) -> Iterator[Contest]:
    def random(*shape: int) -> Tensor:
        return torch.randn(shape, device=device)

    def unit(*shape: int) -> Tensor:
        return normalize(random(*shape), dim=-1)

    torch.manual_seed(0)
    q, k, p, f = (unit(batch, 2, 128) for _ in range(4))
    queues = [unit(2, QUEUE_LENGTH, 128) for _ in range(2)]

    yield Contest("MoCoV2+ with PNR", package_loss, pnr_loss, [q, p], [k, f, *queues])
    outputs = [random(batch, 2048) for _ in range(2)]
    yield Contest("Barlow Twins", barlow_twins_loss, BarlowTwinsLoss(), outputs, [])
    yield Contest("VICReg", vicreg_loss, VICRegLoss(), outputs, [])


def _compare(contest: Contest, setting: Setting) -> dict[str, Cell]:
    for each in contest.learnt:
        each.requires_grad_()

    def work(loss: Loss) -> Work:
        inputs = [*contest.learnt, *contest.constant]
        return lambda: torch.autograd.grad(loss(*inputs), contest.learnt)

    contestants = {"package": work(contest.package), "rival": work(contest.rival)}
    taken = seconds(contestants, setting)
    memory = {w: peak_memory(run, setting.device) for w, run in contestants.items()}
    return {
        "loss": contest.name,
        "time / rival": ratio(taken["package"], taken["rival"]),
        "peak memory / rival": memory["package"] / memory["rival"],
        **{f"{w} (s)": median(each) for w, each in taken.items()},
        **{f"{w} (MiB)": each / 2**20 for w, each in memory.items()},
    }
