"""PNR in a plain PyTorch loop, on scikit-learn's digits."""

import argparse
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import torch
from torch.optim import SGD
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, RandomResizedCrop, ToTensor

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy


def train(agent: Any, loader: DataLoader[Any], epochs: int, lr: float = 0.1) -> None:
    """Train ``agent.model`` on an experience, with ``agent.continual_loss``."""
    agent.continual_loss.pre_adapt(agent)
    optimizer = SGD(agent.model.parameters(), lr, momentum=0.9)
    batches = chain.from_iterable(repeat(loader, epochs))
    for step, (views, *_) in enumerate(batches):
        optimizer.zero_grad()
        agent.continual_loss(views).backward()
        optimizer.step()
        agent.continual_loss.after_step(step, epochs * len(loader))
    agent.continual_loss.post_adapt(agent)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10, help="of each experience")
    epochs = parser.parse_args().epochs
    torch.manual_seed(0)
    crop = Compose([RandomResizedCrop(8, (0.5, 1.0)), ToTensor()])
    benchmark = pnr.class_incremental(
        pnr.load_digits(),
        n_experiences=5,
        train_transform=pnr.TwoViews(crop),
        eval_transform=ToTensor(),
    )
    agent = SimpleNamespace(
        model=pnr.MoCoV2Plus(pnr.resnet_small(), queue_length=1024),
        continual_loss=pnr.ContinualLoss(pnr.PNRPlugin()),
    )
    streams = benchmark.train_stream, benchmark.test_stream
    for experience in benchmark.train_stream:
        loader = DataLoader(experience.dataset, 64, shuffle=True, drop_last=True)
        train(agent, loader, epochs)
        each = probe_accuracy(agent.model, *streams, [pnr.ConvexProbe()])["convex"]
        print(f"linear probe, average accuracy: {100 * sum(each) / len(each):.1f} %")
