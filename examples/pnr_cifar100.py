"""PNR on CIFAR-100 by the published recipe of VICReg (arXiv 2306.05101).

Five experiences of twenty classes, 500 epochs each: days on one GPU. Published: 63.2 %.
"""

import argparse

import torch
from avalanche.benchmarks.classic import SplitCIFAR100
from avalanche.evaluation.metrics import loss_metrics
from avalanche.logging import InteractiveLogger
from avalanche.training.plugins import EvaluationPlugin

import avalanche_pnr as pnr

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", help="folder of CIFAR-100, downloaded if it is not there")
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--experiences", type=int, default=5)
parser.add_argument("--epochs", type=int, default=500, help="of each experience")
parser.add_argument("--batch-size", type=int, default=256)
parser.add_argument("--workers", type=int, default=0, help="processes that load images")
parser.add_argument("--seed", type=int, default=0, help="of class order and weights")
options = parser.parse_args()

torch.manual_seed(options.seed)
mean, std = (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)
views = pnr.make_ssl_transform(
    32, mean=mean, std=std, min_scale=0.2, solarize=(0.1, 0.1)
)
benchmark = SplitCIFAR100(
    options.experiences,
    seed=options.seed,
    dataset_root=options.data,
    eval_transform=pnr.make_eval_transform(mean=mean, std=std),
)
benchmark = pnr.with_multiview(benchmark, views)

model = pnr.VICReg(pnr.resnet18(), hidden_dim=2048, projection_dim=2048)
probe = pnr.ProbePlugin(benchmark.train_stream, [pnr.LinearProbe()])
strategy = pnr.PNR(
    model=model,
    optimizer=pnr.LARS(model.parameters(), lr=0.3 * options.batch_size / 256),
    lambda_pnr=23.0,
    train_mb_size=options.batch_size,
    train_epochs=options.epochs,
    device=options.device,
    plugins=[pnr.WarmupCosinePlugin(warmup_epochs=10, warmup_start_lr=0.003), probe],
    evaluator=EvaluationPlugin(
        loss_metrics(epoch=True),
        pnr.ssl_metrics(probe),
        loggers=[InteractiveLogger()],
    ),
)
for experience in benchmark.train_stream:
    strategy.train(experience, num_workers=options.workers)
    metrics = strategy.eval(benchmark.test_stream, num_workers=options.workers)
    accuracy = 100 * metrics["Linear_Acc_Stream/eval_phase/test_stream"]
    print(f"linear probe, average accuracy: {accuracy:.1f} %")
