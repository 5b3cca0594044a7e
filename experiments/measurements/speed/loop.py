"""Cost of the strategy compared with a plain loop of the same steps."""

import copy
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.evaluation.metrics import loss_metrics
from avalanche.logging import InteractiveLogger
from avalanche.training.plugins import EvaluationPlugin
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from avalanche_pnr import MoCoV2Plus, PNRPlugin, SelfSupervised, resnet_small
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from experiments.measurements.speed.measure import Setting, Work, ratio, seconds
from experiments.measurements.speed.step import pnr_step
from experiments.measurements.speed.table import Table


def plain_epoch(
    method: SelfSupervisedMethod,
    past_model: PastModel,
    optimizer: Optimizer,
    loader: "DataLoader[tuple[torch.Tensor, ...]]",
) -> None:
    """Train for one epoch of PNR."""
    device = next(method.parameters()).device
    for step, (views, _) in enumerate(loader):
        views = views.to(device, non_blocking=True)
        pnr_step(method, past_model, optimizer, views, step, len(loader))


def measure(setting: Setting) -> Table:
    """Measure epochs of MoCoV2+ with PNR by a plain loop and by strategies, in turn."""
    images, batch_size = (256 if setting.quick else 1024), 64
    torch.manual_seed(0)
    data = TensorDataset(torch.rand(images, 2, 3, 32, 32), torch.zeros(images))
    method = MoCoV2Plus(resnet_small(), hidden_dim=512, queue_length=1024)
    PNRPlugin(predictor_hidden_dim=512).add_heads(method)
    method.to(setting.device)
    past_model = PastModel()
    past_model.snapshot(method)
    loader = DataLoader(data, batch_size, shuffle=True, drop_last=True)
    with redirect_stdout(StringIO()):  # where the logger then writes
        strategies = {
            name: strategy_for(
                copy.deepcopy(method), batch_size, setting.device, watched
            )
            for name, watched in (("strategy", False), ("watched", True))
        }
    for each in strategies.values():
        each.past_model.snapshot(each.model)
    benchmark = benchmark_from_datasets(train=[AvalancheDataset([data])])
    experience = benchmark.train_stream[0]
    optimizer = SGD(method.parameters(), lr=0.01, momentum=0.9)

    def train(name: str) -> Work:
        return lambda: strategies[name].train(experience)

    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        taken = seconds(
            {
                "plain": lambda: plain_epoch(method, past_model, optimizer, loader),
                "strategy": train("strategy"),
                "watched": train("watched"),
            },
            setting,
        )
    pairs = {
        "strategy / plain loop": ("strategy", "plain"),
        "metrics and progress bar / none": ("watched", "strategy"),
    }
    return Table(
        f"Loop: {images} images in batches of {batch_size}, MoCoV2+ with PNR",
        [
            {"what": what, "time": ratio(taken[of], taken[to])}
            for what, (of, to) in pairs.items()
        ],
    )


def strategy_for(
    method: SelfSupervisedMethod,
    batch_size: int,
    device: torch.device,
    watched: bool = False,
) -> SelfSupervised:
    """Make a strategy with PNR; if watched, with a loss metric and a progress bar."""
    watching = EvaluationPlugin(loss_metrics(epoch=True), loggers=[InteractiveLogger()])
    return SelfSupervised(
        model=method,
        optimizer=SGD(method.parameters(), lr=0.01, momentum=0.9),
        train_mb_size=batch_size,
        device=device,
        plugins=[PNRPlugin(predictor_hidden_dim=512)],
        evaluator=watching if watched else None,
    )
