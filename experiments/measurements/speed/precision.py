"""Steps with options of precision, compared with float32."""

import copy
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import SGD

from avalanche_pnr import MoCoV2Plus, PNRPlugin, Precision, resnet18, resnet_small
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from experiments.measurements.speed.measure import (
    Setting,
    Work,
    peak_memory,
    ratio,
    seconds,
)
from experiments.measurements.speed.step import pnr_step
from experiments.measurements.speed.table import Cell, Table


class Option(NamedTuple):
    """Options of computing the networks.

    Attributes:
        precision: Number formats and memory layout.
        stack_views: Whether both views are one batch.
    """

    precision: Precision = Precision()
    stack_views: bool = False


PLAIN = "float32"
OPTIONS = {
    PLAIN: Option(),
    "channels_last": Option(Precision(channels_last=True)),
    "tf32, channels_last": Option(Precision(tf32=True, channels_last=True)),
    "bf16, channels_last": Option(Precision("bfloat16", channels_last=True)),
    "fp16, channels_last": Option(Precision("float16", channels_last=True)),
    "compile, channels_last": Option(Precision(channels_last=True, compile=True)),
    "stack_views, channels_last": Option(Precision(channels_last=True), True),
}


def measure(setting: Setting) -> Table:
    """Measure steps of MoCoV2+ with PNR, in turn."""
    backbone: Callable[[], nn.Module] = resnet_small if setting.quick else resnet18
    batch = 256 if setting.device.type == "cuda" else 16
    torch.manual_seed(0)
    method = MoCoV2Plus(backbone(), queue_length=4096)
    PNRPlugin().add_heads(method)
    views = torch.rand(batch, 2, 3, 32, 32).to(setting.device)
    outputs: dict[str, Tensor] = {}
    contestants: dict[str, Work] = {}
    for name in _possible(setting):
        own = copy.deepcopy(method).to(setting.device)
        own.stack_views = OPTIONS[name].stack_views
        own.compute_in(OPTIONS[name].precision)
        outputs[name] = own(views).detach()
        contestants[name] = _step(own, views, OPTIONS[name].precision.tf32)
    taken = seconds(contestants, setting)
    plain, best = outputs[PLAIN], taken[PLAIN]
    rows: list[Mapping[str, Cell]] = [
        {
            "option": name,
            "time / float32": ratio(taken[name], best),
            "step (s)": median(taken[name]),
            "peak memory (MiB)": round(peak_memory(work, setting.device) / 2**20),
            "outputs differ by": float((outputs[name] - plain).norm() / plain.norm()),
        }
        for name, work in contestants.items()
    ]
    return Table(f"Precision: step of MoCoV2+ with PNR, N = {batch}", rows)


def _possible(setting: Setting) -> list[str]:
    """Options that have an effect here, except those too slow for a quick look."""
    on_cpu = setting.device.type == "cpu"
    left_out = {"tf32"} if on_cpu else set()
    if setting.quick:
        left_out |= {"compile", "fp16"} if on_cpu else {"compile"}
    return [name for name in OPTIONS if name.partition(",")[0] not in left_out]


def _step(method: SelfSupervisedMethod, views: Tensor, tf32: bool) -> Work:
    past_model, optimizer = PastModel(), SGD(method.parameters(), lr=1e-3)
    past_model.snapshot(method)

    def step() -> None:
        torch.backends.cuda.matmul.allow_tf32 = tf32  # of the process, not of a network
        torch.backends.cudnn.allow_tf32 = tf32
        past_model.forget_batch()
        pnr_step(method, past_model, optimizer, views)

    return step
