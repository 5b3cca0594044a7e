"""``python -m experiments.speed``: what the strategy costs beside a plain loop.

Both run the same epochs of the same method on the same tensors, in turn, in one
process; the ratio of their times is printed and written as JSON.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.evaluation.metrics import loss_metrics
from avalanche.training.plugins import EvaluationPlugin
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from avalanche_pnr import MoCoV2Plus, PNRPlugin, SelfSupervised, resnet_small
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod


def plain_epoch(
    method: SelfSupervisedMethod,
    past_model: PastModel,
    optimizer: Optimizer,
    loader: "DataLoader[tuple[torch.Tensor, ...]]",
) -> None:
    """One epoch of PNR, written out."""
    for step, (views, _) in enumerate(loader):
        output, past = method(views), past_model(views)
        optimizer.zero_grad()
        loss = method.plasticity(output, past)
        loss = loss + method.stability(output, method.predict_past(output), past)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        method.remember(past)
        method.after_step(output.detach(), step, len(loader))


def compare(images: int, batch_size: int, rounds: int) -> dict[str, object]:
    """Time epochs of a plain loop and of the strategy in turn.

    Args:
        images: Images of an epoch, 32 px.
        batch_size: Images of a batch.
        rounds: Epochs timed of each.
    """
    torch.manual_seed(0)
    data = TensorDataset(torch.rand(images, 2, 3, 32, 32), torch.zeros(images))
    method = MoCoV2Plus(resnet_small(), hidden_dim=512, queue_length=1024)
    method.add_distillation_predictor(512)
    past_model = PastModel()
    past_model.snapshot(method)
    loader = DataLoader(data, batch_size, shuffle=True, drop_last=True)
    strategy = _strategy(copy.deepcopy(method), batch_size)
    benchmark = benchmark_from_datasets(train=[AvalancheDataset([data])])
    experience = benchmark.train_stream[0]
    strategy.past_model.snapshot(strategy.model)
    optimizer = SGD(method.parameters(), lr=0.01, momentum=0.9)
    contestants: dict[str, Callable[[], object]] = {
        "plain": lambda: plain_epoch(method, past_model, optimizer, loader),
        "strategy": lambda: strategy.train(experience),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, epoch in contestants.items():
            start = time.perf_counter()
            epoch()
            times[name].append(time.perf_counter() - start)
    pairs = zip(times["strategy"][1:], times["plain"][1:], strict=True)
    ratios = [strategy / plain for strategy, plain in pairs]
    return {
        "what": "epoch of MoCoV2Plus with PNR: strategy / plain loop",
        "images": images,
        "batch_size": batch_size,
        "threads": torch.get_num_threads(),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
        "plain_seconds_median": round(statistics.median(times["plain"][1:]), 3),
    }


def _strategy(method: SelfSupervisedMethod, batch_size: int) -> SelfSupervised:
    return SelfSupervised(
        model=method,
        optimizer=SGD(method.parameters(), lr=0.01, momentum=0.9),
        train_mb_size=batch_size,
        plugins=[PNRPlugin(predictor_hidden_dim=512)],
        evaluator=EvaluationPlugin(loss_metrics(epoch=True)),
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed")
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    size = (512, 64, 3) if arguments.quick else (2048, 64, 7)
    figures = compare(*size)
    for name, value in figures.items():
        print(f"{name:>22}  {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
