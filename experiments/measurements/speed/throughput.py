"""Throughput of the published steps, compared with matrix products."""

from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from avalanche_pnr import LARS, PNRPlugin, Precision, resnet18
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from experiments.measurements.speed.measure import Setting, Work, seconds
from experiments.measurements.speed.step import METHODS, pnr_step
from experiments.measurements.speed.table import Cell, Table

SAMPLES = 500 * 50_000
"""Images of the published CIFAR-100 run: 500 epochs of five experiences of 10,000."""

PRODUCT = 8192


def measure(setting: Setting) -> Table:
    """Measure steps of five methods with PNR, and products of large matrices.

    In float16 on a GPU, as published, without its scaled loss. Hours are those of the
    whole run if nothing but the steps took time.
    """
    on_gpu = setting.device.type == "cuda"
    batch = 256 if on_gpu else (4 if setting.quick else 32)
    precision = Precision("float16" if on_gpu else "float32", channels_last=True)
    rows = []
    for name, make in METHODS.items():
        method = make(resnet18())
        PNRPlugin().add_heads(method)
        method.to(setting.device).compute_in(precision)
        rows.append({"method": name, **_rates(method, batch, setting)})
    return Table(
        f"Five methods with PNR, ResNet-18, N = {batch}, K = 65536, {precision.dtype}",
        rows,
    )


def _rates(
    method: SelfSupervisedMethod, batch: int, setting: Setting
) -> dict[str, Cell]:
    past_model, optimizer = PastModel(), LARS(method.parameters(), lr=1e-3)
    past_model.snapshot(method)
    views = torch.randn(batch, 2, 3, 32, 32).to(setting.device)

    def step() -> None:
        past_model.forget_batch()
        pnr_step(method, past_model, optimizer, views)

    with FlopCounterMode(display=False) as counter:
        step()
    size = PRODUCT if setting.device.type == "cuda" else PRODUCT // 8
    contestants = {"step": step, "product": _product(size, method, setting)}
    taken = {what: median(s) for what, s in seconds(contestants, setting).items()}
    rate = counter.get_total_flops() / taken["step"]
    best = 2 * size**3 / taken["product"]
    images = batch / taken["step"]
    return {
        "images / s": images,
        "TFLOP an image": counter.get_total_flops() / batch / 1e12,
        "TFLOP / s": rate / 1e12,
        "of a matrix product's": rate / best,
        "hours for CIFAR-100": SAMPLES / images / 3600,
    }


def _product(size: int, method: SelfSupervisedMethod, setting: Setting) -> Work:
    dtype = getattr(torch, method.precision.dtype)
    matrix: Tensor = torch.randn(size, size).to(setting.device, dtype)
    return lambda: matrix @ matrix
