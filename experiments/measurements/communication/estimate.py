"""An estimate, without measurements, of ImageNet-1k in ten experiences."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from avalanche_pnr import PNRPlugin, resnet50
from avalanche_pnr.methods import SelfSupervisedMethod
from experiments.measurements.communication.operations import operations
from experiments.measurements.communication.traffic import traffic
from experiments.measurements.speed.step import METHODS
from experiments.measurements.speed.table import Cell, Table

IMAGES = 1_281_167
SHAPE = (3, 224, 224)
PUBLISHED = {
    "MoCoV2+": {},
    "SimCLR": {},
    "Barlow Twins": {},
    "BYOL": {"predictor_hidden_dim": 8192},
    "VICReg": {},
}
"""Sizes of heads in the recipes for 224 px that differ from the defaults."""


class Cluster(NamedTuple):
    """Assumptions about a cluster.

    Attributes:
        gpus: Number of GPUs, P.
        per_gpu: Number of images of a batch on each, N / P.
        tflops: Sustained rate of a GPU in these networks, 10^12 operations a second.
        gigabytes: Rate at which a GPU sends to the next one, 10^9 bytes a second.
    """

    gpus: int
    per_gpu: int
    tflops: float
    gigabytes: float


def estimate(clusters: Sequence[Cluster], epochs: int) -> Table:
    """Operations, bytes and hours of each method with PNR and a ResNet-50.

    Nothing overlaps: the time of a step is that of its operations and of its bytes.
    Reading images, making views and judging are not counted.

    Args:
        clusters: Clusters to estimate for.
        epochs: Number of epochs of each experience.
    """
    rows = [
        {"method": name, **_row(_method(name), cluster, epochs)}
        for name in METHODS
        for cluster in clusters
    ]
    return Table(f"ESTIMATE: ImageNet-1k with PNR, ResNet-50, {epochs} epochs", rows)


def _method(name: str) -> SelfSupervisedMethod:
    with torch.device("meta"):
        method = METHODS[name](resnet50(False), image_shape=SHAPE, **PUBLISHED[name])
        PNRPlugin().add_heads(method)
    return method


def _row(
    method: SelfSupervisedMethod, cluster: Cluster, epochs: int
) -> dict[str, Cell]:
    batch = cluster.gpus * cluster.per_gpu
    computed = operations(method, batch, cluster.gpus, SHAPE)
    sent = traffic(method, batch, cluster.gpus, SHAPE)
    speed, link = cluster.tflops * 1e12, cluster.gigabytes * 1e9
    seconds = sum(computed) / speed + sent.total / link
    return {
        "GPUs": cluster.gpus,
        "N": batch,
        "networks (TFLOP)": computed.networks / 1e12,
        "losses (TFLOP)": computed.losses / 1e12,
        "gradients (MB)": sent.gradients / 1e6,
        "gathered (MB)": (sent.total - sent.gradients) / 1e6,
        "computing (ms)": sum(computed) / speed * 1e3,
        "sending (ms)": sent.total / link * 1e3,
        "images / s": batch / seconds,
        "hours": IMAGES * epochs / batch * seconds / 3600,
    }
