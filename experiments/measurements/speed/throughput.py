"""Images a second of a step as published, and what the processor could do."""

from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from avalanche_pnr import LARS, MoCoV2Plus, Precision, resnet18
from avalanche_pnr.methods import PastModel
from experiments.measurements.speed.measure import Setting, seconds
from experiments.measurements.speed.step import pnr_step
from experiments.measurements.speed.table import Table

SAMPLES = 500 * 50_000
"""Images of the published CIFAR-100 run: 500 epochs of five experiences of 10,000."""

PRODUCT = 8192


def measure(setting: Setting) -> Table:
    """Steps of MoCoV2+ with PNR, and products of large matrices of the same numbers.

    In float16 on a GPU, as published, without its scaled loss. Hours are those of the
    whole run if nothing but the steps took time.
    """
    on_gpu = setting.device.type == "cuda"
    batch = 256 if on_gpu else (4 if setting.quick else 32)
    size = PRODUCT if on_gpu else PRODUCT // 8
    precision = Precision("float16" if on_gpu else "float32", channels_last=True)
    method = MoCoV2Plus(resnet18())
    method.add_distillation_predictor()
    method.to(setting.device).compute_in(precision)
    past_model, optimizer = PastModel(), LARS(method.parameters(), lr=1e-3)
    past_model.snapshot(method)
    views = torch.randn(batch, 2, 3, 32, 32).to(setting.device)
    matrix = torch.randn(size, size).to(setting.device, getattr(torch, precision.dtype))

    def step() -> None:
        past_model.forget_batch()
        pnr_step(method, past_model, optimizer, views)

    def product() -> Tensor:
        return matrix @ matrix

    with FlopCounterMode(display=False) as counter:
        step()
    taken = {
        what: median(each)
        for what, each in seconds({"step": step, "product": product}, setting).items()
    }
    rate = counter.get_total_flops() / taken["step"]
    best = 2 * size**3 / taken["product"]
    images = batch / taken["step"]
    return Table(
        f"MoCoV2+ with PNR, ResNet-18, N = {batch}, K = 65536, {precision.dtype}",
        [
            {
                "images / s": images,
                "TFLOP an image": counter.get_total_flops() / batch / 1e12,
                "TFLOP / s": rate / 1e12,
                "of a matrix product's": rate / best,
                "hours for CIFAR-100": SAMPLES / images / 3600,
            }
        ],
    )
