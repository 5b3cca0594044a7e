"""``python -m experiments.measurements.probe_speed``: the cost of probes.

Two ratios, printed and written as JSON. First, the linear probe on cached features
beside the same optimisation that passes the images through the backbone in every
epoch. Second, an evaluation after an experience beside the training of that
experience in the CIFAR-100 recipe, from times per image measured in one run.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import MultiStepLR

from avalanche_pnr import (
    KNNProbe,
    LinearProbe,
    MoCoV2Plus,
    NearestMeanProbe,
    PNRPlugin,
    SelfSupervised,
    data_incremental,
    load_digits,
    load_npz,
    make_eval_transform,
    make_ssl_transform,
    resnet18,
    resnet_small,
)
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.evaluation import ProbeData, accuracy
from avalanche_pnr.evaluation.probes.base import LinearReadout, standardisation

T = TypeVar("T")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)
RECIPE = {"classes": 100, "train": 50_000, "test": 10_000, "experiences": 5}
"""CIFAR-100 as published, 500 epochs an experience."""
RECIPE_EPOCHS = 500


def reforward(data: ProbeData, probe: LinearProbe) -> LinearReadout:
    """The probe's optimisation with a fresh pass through the backbone each epoch."""
    mean, scale = standardisation(data.features[0])
    head = nn.Linear(len(mean), data.classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.SGD(head.parameters(), probe.lrs[0], probe.momentum)
    schedule = MultiStepLR(optimizer, probe.milestones)
    generator = torch.Generator().manual_seed(probe.seed)
    for _ in range(probe.epochs):
        order = torch.randperm(len(data.dataset), generator=generator)
        for rows in torch.split(order, probe.batch_size):
            x, labels = data.draw(rows.tolist())
            optimizer.zero_grad()
            loss = cross_entropy(head((x - mean) * scale), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    weight, bias = head.weight.detach(), head.bias.detach()
    return LinearReadout(mean, scale, weight, bias)


def compare_probes(data: ImageData, epochs: int) -> dict[str, Any]:
    """Time and accuracy of a probe on cached features and of one without a cache."""
    torch.manual_seed(0)
    backbone = resnet_small(width=64, stem_stride=2)
    benchmark = _stream(data)
    milestones = [round(0.6 * epochs), round(0.8 * epochs)]
    probe = LinearProbe([0.03], epochs=epochs, milestones=milestones)
    test = ProbeData(backbone, benchmark.test_stream).features
    cached, cached_seconds = _timed(
        lambda: probe.fit(*ProbeData(backbone, benchmark.probe_stream).features)
    )
    fresh, fresh_seconds = _timed(
        lambda: reforward(ProbeData(backbone, benchmark.probe_stream), probe)
    )
    chosen, chosen_seconds = _timed(
        lambda: LinearProbe(epochs=epochs, milestones=milestones).fit(
            *ProbeData(backbone, benchmark.probe_stream).features
        )
    )
    return {
        "images": len(data.train),
        "epochs": epochs,
        "cached / re-forwarded, time": round(cached_seconds / fresh_seconds, 4),
        "six learning rates / re-forwarded, time": round(
            chosen_seconds / fresh_seconds, 4
        ),
        "cached, accuracy": round(100 * accuracy(cached(test[0]), test[1]), 2),
        "re-forwarded, accuracy": round(100 * accuracy(fresh(test[0]), test[1]), 2),
        "six learning rates, accuracy": round(
            100 * accuracy(chosen(test[0]), test[1]), 2
        ),
        "re-forwarded, seconds": round(fresh_seconds, 1),
    }


def evaluation_share(data: ImageData, images: int) -> dict[str, Any]:
    """Cost of an evaluation beside that of an experience, CIFAR-100 recipe.

    Training, extraction and k-NN are timed on some images and scale with their
    number; the probe is fitted to random features of the recipe's size for a tenth of
    its epochs.
    """
    torch.manual_seed(0)
    method = MoCoV2Plus(resnet18(small_images=True), image_shape=(3, 32, 32))
    method = method.to(memory_format=torch.channels_last)
    stream = _stream(data, n_experiences=len(data.train) // images)
    strategy = SelfSupervised(
        model=method,
        optimizer=torch.optim.SGD(method.parameters(), lr=0.03),
        train_mb_size=min(64, images),
        plugins=[PNRPlugin()],
        evaluator=None,
    )
    strategy.train(stream.train_stream[0])
    _, training = _timed(lambda: strategy.train(stream.train_stream[1]))
    part = [stream.train_stream[2]]
    _, extraction = _timed(lambda: ProbeData(method, part).features)
    x = torch.randn(RECIPE["train"], 512)
    y = torch.arange(len(x)) % RECIPE["classes"]
    probe = LinearProbe(epochs=10, milestones=[6, 8])
    _, fit = _timed(lambda: probe.fit(x, y))
    knn, _ = _timed(lambda: KNNProbe().fit(x, y))
    _, neighbours = _timed(lambda: knn(x[:1000]))
    _, means = _timed(lambda: NearestMeanProbe().fit(x, y)(x[: RECIPE["test"]]))
    per_experience = RECIPE["train"] / RECIPE["experiences"] * RECIPE_EPOCHS
    evaluated = RECIPE["train"] + RECIPE["test"]
    parts = {
        "training": training / images * per_experience,
        "extraction": extraction / images * evaluated,
        "linear probe": 10 * fit,
        "k-NN": neighbours / 1000 * RECIPE["test"],
        "nearest class mean": means,
    }
    judging = sum(parts.values()) - parts["training"]
    return {
        **{f"{name}, hours": round(each / 3600, 4) for name, each in parts.items()},
        "evaluation / training": round(judging / parts["training"], 5),
    }


def _stream(data: ImageData, n_experiences: int = 1) -> Any:
    size = np.asarray(data.train[0][0]).shape[1]
    return data_incremental(
        data,
        n_experiences=n_experiences,
        train_transform=make_ssl_transform(size, mean=MEAN, std=STD),
        eval_transform=make_eval_transform(mean=MEAN, std=STD),
    )


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.measurements.probe_speed"
    )
    parser.add_argument("data", type=Path, metavar="DATA.npz", nargs="?")
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    data = load_npz(arguments.data) if arguments.data else load_digits()
    figures = {
        "threads": torch.get_num_threads(),
        **compare_probes(data, epochs=5 if arguments.quick else 100),
        **evaluation_share(data, images=64 if arguments.quick else 256),
    }
    for name, value in figures.items():
        print(f"{name:>42}  {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
