"""PNR on time series: waveforms as three machines record them, one after the other."""

import argparse
import math

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy

MACHINES = {"slow": 2.0, "medium": 4.0, "fast": 8.0}  # periods in a window
CHANNELS, LENGTH = 2, 128


def windows(periods: float, number: int) -> tuple[Tensor, Tensor]:
    """Windows (N, C, L) of four waveforms with their labels (N,)."""
    y = torch.arange(number) % 4
    frequency = periods * (0.75 + torch.rand(number, 1, 1) / 2)
    phase = torch.rand(number, 1, 1) + torch.tensor([0.0, 0.25])[:, None]
    t = (frequency * torch.linspace(0, 1, LENGTH) + phase) % 1  # within a period
    sine = torch.sin(2 * math.pi * t)
    waves = torch.stack([sine, sine.sign(), 2 * t - 1, 1 - 4 * (t - 0.5).abs()])
    x = waves[y, torch.arange(number)] * (0.5 + torch.rand(number, 1, 1))
    return x + 0.3 * torch.randn_like(x), y


def view(x: Tensor) -> Tensor:
    """A random view of a window: another amplitude, noise, and a masked stretch."""
    x = x * (0.5 + torch.rand(1)) + 0.1 * torch.randn_like(x)
    start = int(torch.randint(LENGTH, ()))
    x[:, start : start + LENGTH // 4] = 0
    return x


def make_encoder() -> nn.Module:
    """Convolutions along time, (N, C, L) to (N, 64)."""
    return nn.Sequential(
        *(nn.Conv1d(CHANNELS, 32, 9, padding=4), nn.BatchNorm1d(32), nn.ReLU()),
        *(nn.Conv1d(32, 64, 9, stride=2), nn.BatchNorm1d(64), nn.ReLU()),
        *(nn.Conv1d(64, 64, 9, stride=2), nn.BatchNorm1d(64), nn.ReLU()),
        *(nn.AdaptiveAvgPool1d(1), nn.Flatten()),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10, help="of each machine")
    parser.add_argument("--windows", type=int, default=1024, help="of each machine")
    options = parser.parse_args()
    torch.manual_seed(0)
    train, test = (
        [
            AvalancheDataset([TensorDataset(*windows(periods, number))])
            for periods in MACHINES.values()
        ]
        for number in (options.windows, 400)
    )
    benchmark = pnr.with_multiview(
        benchmark_from_datasets(train=train, test=test), pnr.TwoViews(view)
    )
    example = torch.zeros(2, CHANNELS, LENGTH)
    model = pnr.VICReg(
        make_encoder(), hidden_dim=256, projection_dim=256, example_input=example
    )
    strategy = pnr.SelfSupervised(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
        plugins=[pnr.PNRPlugin(predictor_hidden_dim=256)],
        evaluator=None,
        train_mb_size=64,
        train_epochs=options.epochs,
    )

    def report(name: str) -> None:
        """Print a row: a linear probe's accuracy on the windows of each machine."""
        streams = benchmark.train_stream, benchmark.test_stream
        each = probe_accuracy(model, *streams, [pnr.ConvexProbe()])["convex"]
        print(f"{name:16}" + "".join(f"{100 * share:8.1f} %" for share in each))

    print(" " * 16 + "".join(f"{name:>10}" for name in MACHINES))
    report("random encoder")
    for name, experience in zip(MACHINES, benchmark.train_stream, strict=True):
        strategy.train(experience)
        report(f"after {name}")
