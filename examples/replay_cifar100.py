"""Avalanche's replay on SplitCIFAR100, self-supervised with PNR."""

import argparse

import torch
from avalanche.benchmarks.classic import SplitCIFAR100
from avalanche.training.plugins import ReplayPlugin

import avalanche_pnr as pnr

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("root", help="folder of CIFAR-100, downloaded if it is not there")
parser.add_argument("--experiences", type=int, default=5)
parser.add_argument("--epochs", type=int, default=10, help="of each experience")
parser.add_argument("--batch-size", type=int, default=128)
parser.add_argument("--device", default="cpu")
options = parser.parse_args()

torch.manual_seed(0)
benchmark = SplitCIFAR100(options.experiences, seed=0, dataset_root=options.root)
mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)  # as the benchmark has
views = pnr.make_ssl_transform(32, mean=mean, std=std)
benchmark = pnr.with_multiview(benchmark, views)
model = pnr.MoCoV2Plus(pnr.resnet_small(), queue_length=4096)
probe = pnr.ProbePlugin(benchmark.train_stream)
strategy = pnr.SelfSupervised(
    model=model,
    optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    plugins=[pnr.PNRPlugin(), ReplayPlugin(mem_size=2000), probe],
    train_mb_size=options.batch_size,
    train_epochs=options.epochs,
    device=options.device,
)
for experience in benchmark.train_stream:
    strategy.train(experience)
    strategy.eval(benchmark.test_stream)
