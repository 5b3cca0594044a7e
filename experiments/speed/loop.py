"""What the strategy costs beside a plain loop of the same steps."""

import copy

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.evaluation.metrics import loss_metrics
from avalanche.training.plugins import EvaluationPlugin
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from avalanche_pnr import MoCoV2Plus, PNRPlugin, SelfSupervised, resnet_small
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from experiments.speed.measure import Setting, ratio, seconds
from experiments.speed.step import pnr_step
from experiments.speed.table import Table


def plain_epoch(
    method: SelfSupervisedMethod,
    past_model: PastModel,
    optimizer: Optimizer,
    loader: "DataLoader[tuple[torch.Tensor, ...]]",
) -> None:
    """One epoch of PNR."""
    device = next(method.parameters()).device
    for step, (views, _) in enumerate(loader):
        views = views.to(device, non_blocking=True)
        pnr_step(method, past_model, optimizer, views, step, len(loader))


def measure(setting: Setting) -> Table:
    """Epochs of MoCoV2+ with PNR by a plain loop and by the strategy, in turn."""
    images, batch_size = (256 if setting.quick else 1024), 64
    torch.manual_seed(0)
    data = TensorDataset(torch.rand(images, 2, 3, 32, 32), torch.zeros(images))
    method = MoCoV2Plus(resnet_small(), hidden_dim=512, queue_length=1024)
    method.add_distillation_predictor(512)
    method.to(setting.device)
    past_model = PastModel()
    past_model.snapshot(method)
    loader = DataLoader(data, batch_size, shuffle=True, drop_last=True)
    strategy = _strategy(copy.deepcopy(method), batch_size, setting.device)
    benchmark = benchmark_from_datasets(train=[AvalancheDataset([data])])
    experience = benchmark.train_stream[0]
    strategy.past_model.snapshot(strategy.model)
    optimizer = SGD(method.parameters(), lr=0.01, momentum=0.9)
    taken = seconds(
        {
            "plain loop": lambda: plain_epoch(method, past_model, optimizer, loader),
            "strategy": lambda: strategy.train(experience),
        },
        setting,
    )
    return Table(
        f"Loop: {images} images in batches of {batch_size}, MoCoV2+ with PNR",
        [{"what": "strategy / plain loop", "time": ratio(*reversed(taken.values()))}],
    )


def _strategy(
    method: SelfSupervisedMethod, batch_size: int, device: torch.device
) -> SelfSupervised:
    return SelfSupervised(
        model=method,
        optimizer=SGD(method.parameters(), lr=0.01, momentum=0.9),
        train_mb_size=batch_size,
        device=device,
        plugins=[PNRPlugin(predictor_hidden_dim=512)],
        evaluator=EvaluationPlugin(loss_metrics(epoch=True)),
    )
