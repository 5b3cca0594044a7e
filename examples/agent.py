"""PNR with Avalanche's ``Agent``, on scikit-learn's digits."""

import argparse
from itertools import chain, repeat
from typing import Any

import torch
from avalanche.core import Agent
from avalanche.models.dynamic_optimizers import DynamicOptimizer
from torch.optim import SGD
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, RandomResizedCrop, ToTensor

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy
from avalanche_pnr.plugins import PastModelPlugin


def make_agent(
    model: pnr.SelfSupervisedMethod, plugin: PastModelPlugin, lr: float = 0.1
) -> Any:
    """A model with its loss and optimizer, which adapt in this order."""
    agent = Agent()
    agent.model = model
    agent.continual_loss = pnr.ContinualLoss(plugin)
    optimizer = SGD(model.parameters(), lr, momentum=0.9)
    agent.optimizer = DynamicOptimizer(optimizer, model, reset_state=True)
    return agent


def train(agent: Any, experience: Any, loader: DataLoader[Any], epochs: int) -> None:
    """Train on an experience."""
    agent.pre_adapt(experience)
    batches = chain.from_iterable(repeat(loader, epochs))
    for step, (views, *_) in enumerate(batches):
        agent.optimizer.zero_grad()
        agent.continual_loss(views).backward()
        agent.optimizer.step()
        agent.continual_loss.after_step(step, epochs * len(loader))
    agent.post_adapt(experience)


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
    model = pnr.MoCoV2Plus(pnr.resnet_small(), queue_length=1024)
    agent = make_agent(model, pnr.PNRPlugin())
    streams = benchmark.train_stream, benchmark.test_stream
    for experience in benchmark.train_stream:
        loader = DataLoader(experience.dataset, 64, shuffle=True, drop_last=True)
        train(agent, experience, loader, epochs)
        each = probe_accuracy(model, *streams, [pnr.ConvexProbe()])["convex"]
        print(f"linear probe, average accuracy: {100 * sum(each) / len(each):.1f} %")
