"""PNR's loss on MoCoV2+; the rival is its straightforward form."""

from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.losses import moco_distillation, moco_loss
from experiments.speed.measure import Setting, Work, peak_memory, ratio, seconds
from experiments.speed.straightforward import pnr_loss
from experiments.speed.table import Table

SIZES, QUICK_SIZES = (256, 128, 65536), (64, 128, 65536)
"""N, D and K."""

TEMPERATURE = 0.2


def package_loss(
    q: Tensor, k: Tensor, p: Tensor, f: Tensor, queue: Tensor, past_queue: Tensor
) -> Tensor:
    """L1 + L2 as the package computes them."""
    plasticity = moco_loss(q, k, [queue, past_queue], TEMPERATURE)
    return plasticity + moco_distillation(p, f, [past_queue, queue], TEMPERATURE)


def measure(setting: Setting) -> Table:
    """Forward and backward of both forms, in turn."""
    batch, dim, length = QUICK_SIZES if setting.quick else SIZES
    torch.manual_seed(0)

    def unit(*shape: int) -> Tensor:
        return normalize(torch.randn(*shape, dim, device=setting.device), dim=-1)

    q, k, p, f = (unit(batch, 2) for _ in range(4))
    queues = unit(2, length), unit(2, length)
    for each in (q, p):
        each.requires_grad_()

    def work(loss: Callable[..., Tensor]) -> Work:
        return lambda: torch.autograd.grad(loss(q, k, p, f, *queues), (q, p))

    contestants = {"package": work(package_loss), "rival": work(pnr_loss)}
    taken = seconds(contestants, setting)
    memory = {w: peak_memory(run, setting.device) for w, run in contestants.items()}
    return Table(
        f"PNR's loss, forward and backward: N = {batch}, D = {dim}, K = {length}",
        [
            {
                "what": "package / rival",
                "time": ratio(taken["package"], taken["rival"]),
                "peak memory": memory["package"] / memory["rival"],
                **{f"{w} (s)": median(each) for w, each in taken.items()},
                **{f"{w} (MiB)": each / 2**20 for w, each in memory.items()},
            }
        ],
    )
