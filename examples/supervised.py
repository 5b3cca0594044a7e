"""Avalanche's replay on SplitCIFAR100, supervised."""

import argparse

import torch
from avalanche.benchmarks.classic import SplitCIFAR100
from avalanche.models import SlimResNet18
from avalanche.training import Naive
from avalanche.training.plugins import ReplayPlugin

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("root", help="folder of CIFAR-100, downloaded if it is not there")
parser.add_argument("--experiences", type=int, default=5)
parser.add_argument("--epochs", type=int, default=10, help="of each experience")
parser.add_argument("--batch-size", type=int, default=128)
parser.add_argument("--device", default="cpu")
options = parser.parse_args()

torch.manual_seed(0)
benchmark = SplitCIFAR100(options.experiences, seed=0, dataset_root=options.root)
model = SlimResNet18(100)
strategy = Naive(
    model=model,
    optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    criterion=torch.nn.CrossEntropyLoss(),
    plugins=[ReplayPlugin(mem_size=2000)],
    train_mb_size=options.batch_size,
    train_epochs=options.epochs,
    device=options.device,
)
for experience in benchmark.train_stream:
    strategy.train(experience)
    strategy.eval(benchmark.test_stream)
