"""Steps at the small sizes of first trials, views and loader included."""

import copy
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import SGD

from avalanche_pnr import (
    PNRPlugin,
    SelfSupervised,
    SimCLR,
    data_incremental,
    make_eval_transform,
    make_ssl_transform,
    resnet18,
    resnet_small,
)
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.methods import SelfSupervisedMethod
from experiments.measurements.speed.measure import Setting, ratio, seconds
from experiments.measurements.speed.step import network_passes
from experiments.measurements.speed.table import Cell, Table
from experiments.measurements.speed.views import photographs

MEAN, STD = (0.5, 0.5, 0.5), (0.3, 0.3, 0.3)


class Size(NamedTuple):
    """A training that fits a CPU.

    Attributes:
        backbone: Function that makes the network.
        side: Height and width of images and views in pixels.
        batch: Number of images in a batch, N.
        steps: Number of steps that are timed together.
        jitter: Greatest change of brightness, contrast, saturation and hue.
    """

    backbone: Callable[[], nn.Module]
    side: int
    batch: int
    steps: int
    jitter: tuple[float, float, float, float]


SIZES = {
    "8 px, width 32, N = 64": Size(
        lambda: resnet_small(32), 8, 64, 40, (0.4, 0.4, 0.0, 0.0)
    ),
    "32 px, ResNet-18, N = 64": Size(resnet18, 32, 64, 2, (0.4, 0.4, 0.2, 0.1)),
}


def measure(setting: Setting) -> Table:
    """Measure SimCLR with PNR by the strategy, and its networks on a ready batch.

    The networks' share is forward and backward of both views, past network, predictor
    and SGD step.
    """
    names = list(SIZES)[:1] if setting.quick else list(SIZES)
    rows = [{"size": name, **_compare(SIZES[name], setting)} for name in names]
    return Table("A whole step of SimCLR with PNR, batched views", rows)


def _compare(size: Size, setting: Setting) -> dict[str, Cell]:
    torch.manual_seed(0)
    strategy, experience = _training(size, setting.device)
    networks = _networks(strategy.model, size, setting.device)

    def passes() -> None:
        for _ in range(size.steps):
            networks()

    taken = seconds(
        {"step": lambda: strategy.train(experience), "networks": passes}, setting
    )
    return {
        "step / networks": ratio(taken["step"], taken["networks"]),
        "step (ms)": 1000 * median(taken["step"]) / size.steps,
        "networks (ms)": 1000 * median(taken["networks"]) / size.steps,
    }


def _training(size: Size, device: torch.device) -> tuple[SelfSupervised, object]:
    """Make a strategy in its second experience, and the experience."""
    images = photographs(size.batch * size.steps, size.side)
    data = ImageData.from_images("photographs", images, images).in_memory(device)
    views = make_ssl_transform(
        size.side, mean=MEAN, std=STD, batched=True, jitter=size.jitter
    )
    benchmark = data_incremental(
        data,
        n_experiences=1,
        train_transform=views,
        eval_transform=make_eval_transform(mean=MEAN, std=STD),
    )
    method = SimCLR(size.backbone())
    strategy = SelfSupervised(
        model=method,
        optimizer=SGD(method.parameters(), lr=0.01, momentum=0.9),
        train_mb_size=size.batch,
        device=device,
        plugins=[PNRPlugin(predictor_hidden_dim=512)],
        evaluator=None,
    )
    strategy.train(benchmark.train_stream[0])
    return strategy, benchmark.train_stream[0]


def _networks(
    trained: SelfSupervisedMethod, size: Size, device: torch.device
) -> Callable[[], None]:
    method = copy.deepcopy(trained)
    PNRPlugin(predictor_hidden_dim=512).add_heads(method)
    past = nn.Sequential(method.backbone, method.projector)
    past = copy.deepcopy(past).eval().requires_grad_(False)
    optimizer = SGD(method.parameters(), lr=1e-9, momentum=0.9)
    views: Tensor = torch.randn(size.batch, 2, 3, size.side, size.side).to(device)

    def step() -> None:
        optimizer.zero_grad()
        network_passes(method, past, views)
        optimizer.step()

    return step
