#!/usr/bin/env python3
import torch
from avalanche.benchmarks.classic import SplitCIFAR100
from avalanche.evaluation.metrics import accuracy_metrics, loss_metrics
from avalanche.logging import InteractiveLogger
from avalanche.training.plugins import EvaluationPlugin
from experiments.utils import create_default_args, set_seed

from avalanche_pnr import (
    LARS,
    PNR,
    LinearProbe,
    ProbePlugin,
    VICReg,
    WarmupCosinePlugin,
    make_eval_transform,
    make_ssl_transform,
    resnet18,
    with_multiview,
)


def pnr_scifar100(override_args=None):
    """ "Regularizing with Pseudo-Negatives for Continual Self-Supervised Learning"
    by Cha et. al (2024). https://arxiv.org/abs/2306.05101

    Results are those of a linear probe, fitted to the frozen features of all training
    images seen or to be seen; training itself uses no label.
    """
    args = create_default_args(
        {
            "cuda": 0,
            "n_experiences": 5,
            "num_epochs": 500,
            "train_mb_size": 256,
            "lr": 0.3,
            "weight_decay": 1e-4,
            "warmup_epochs": 10,
            "hidden_dim": 2048,
            "projection_dim": 2048,
            "predictor_hidden_dim": 2048,
            "lambda_pnr": 23.0,
            "num_workers": 4,
            "dataset_root": None,
            "seed": 0,
        },
        override_args,
    )
    set_seed(args.seed)
    device = torch.device(
        f"cuda:{args.cuda}" if torch.cuda.is_available() and args.cuda >= 0 else "cpu"
    )

    colours = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.247, 0.243, 0.261)}
    benchmark = SplitCIFAR100(
        args.n_experiences,
        return_task_id=False,
        seed=args.seed,
        dataset_root=args.dataset_root,
        eval_transform=make_eval_transform(**colours),
    )
    views = make_ssl_transform(32, min_scale=0.2, solarize=(0.1, 0.1), **colours)
    benchmark = with_multiview(benchmark, views)

    model = VICReg(
        resnet18(), hidden_dim=args.hidden_dim, projection_dim=args.projection_dim
    )
    optimizer = LARS(
        model.parameters(),
        lr=args.lr * args.train_mb_size / 256,
        weight_decay=args.weight_decay,
    )
    evaluation_plugin = EvaluationPlugin(
        loss_metrics(epoch=True),
        accuracy_metrics(experience=True, stream=True),
        loggers=[InteractiveLogger()],
    )
    cl_strategy = PNR(
        model=model,
        optimizer=optimizer,
        predictor_hidden_dim=args.predictor_hidden_dim,
        lambda_pnr=args.lambda_pnr,
        train_mb_size=args.train_mb_size,
        train_epochs=args.num_epochs,
        eval_mb_size=256,
        device=device,
        evaluator=evaluation_plugin,
        plugins=[
            WarmupCosinePlugin(warmup_epochs=args.warmup_epochs),
            ProbePlugin(benchmark.train_stream, [LinearProbe()]),
        ],
    )

    res = None
    for experience in benchmark.train_stream:
        cl_strategy.train(experience, num_workers=args.num_workers)
        res = cl_strategy.eval(benchmark.test_stream, num_workers=args.num_workers)

    return res


if __name__ == "__main__":
    res = pnr_scifar100()
    print(res)
