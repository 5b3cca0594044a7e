"""Growth of the cost of an experience with its images and epochs."""

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch.utils.data import TensorDataset

from avalanche_pnr import MoCoV2Plus, resnet_small
from experiments.measurements.speed.loop import strategy_for
from experiments.measurements.speed.measure import Setting, Work, ratio, seconds
from experiments.measurements.speed.table import Table

BATCH = 32


def measure(setting: Setting) -> Table:
    """Measure an experience, one with twice the images, one with twice the epochs."""
    images = 64 if setting.quick else 512
    torch.manual_seed(0)
    method = MoCoV2Plus(resnet_small(), hidden_dim=512, queue_length=1024)
    strategy = strategy_for(method, BATCH, setting.device)
    strategy.past_model.snapshot(strategy.model)

    def work(images: int, epochs: int) -> Work:
        data = TensorDataset(torch.rand(images, 2, 3, 32, 32), torch.zeros(images))
        benchmark = benchmark_from_datasets(train=[AvalancheDataset([data])])

        def train() -> None:
            strategy.train_epochs = epochs
            strategy.train(benchmark.train_stream[0])

        return train

    taken = seconds(
        {
            "once": work(images, 1),
            "twice the images": work(2 * images, 1),
            "twice the epochs": work(images, 2),
        },
        setting,
    )
    once = taken.pop("once")
    return Table(
        f"Growth from {images} images and one epoch, MoCoV2+ with PNR",
        [{"what": what, "time / once": ratio(x, once)} for what, x in taken.items()],
    )
