"""``python -m experiments.measurements.shortened``: published recipes in half an hour.

Trains finetuning, CaSSLe and PNR on CIFAR-100 in five experiences by the recipes of the
paper, with fewer epochs, and prints rows for the README's table of published figures
and the images a second of their steps. The same command continues where it was stopped.

    python -m experiments.measurements.shortened --data cifar --device cuda
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from experiments.measurements.speed import throughput
from experiments.measurements.speed.measure import Setting
from experiments.reporting.measures import AVERAGE, FORGETTING, measures
from experiments.reporting.rows import rows
from experiments.reporting.summaries import Summary
from experiments.results import find_runs
from experiments.sweep import group_runs

METHODS = ("vicreg", "mocov2plus", "simclr", "barlow_twins", "byol")
PUBLISHED_EPOCHS, PUBLISHED_WARMUP, PUBLISHED_QUEUE = 500, 10, 65_536
BATCH = 256
LARGEST = 16 * 2**20
"""Largest file, in bytes, that is copied to the folder of results."""

TOY = [
    "data=digits",
    "backbone=resnet_small",
    "backbone.width=16",
    "batch_size=64",
    "method.hidden_dim=64",
    "method.projection_dim=64",
    "predictor_hidden_dim=64",
    "references=[]",
    "seeds=1",
]
"""Settings with which every step of this command can be tried within a minute."""


def overrides(method: str, epochs: int) -> list[str]:
    """The recipe of a method with fewer epochs.

    Warm-up and MoCo's queue keep the proportion to the epochs that they have in the
    published recipe; the queue stays a multiple of the batch.

    Args:
        method: Name of the recipe.
        epochs: Number of epochs in each experience.
    """
    share = epochs / PUBLISHED_EPOCHS
    chosen = [
        f"+recipe=cifar100/{method}",
        "regularizers=[finetune,cassle,pnr]",
        f"epochs={epochs}",
        f"schedule.warmup_epochs={round(PUBLISHED_WARMUP * share)}",
    ]
    if method == "mocov2plus":
        batches = max(1, round(PUBLISHED_QUEUE * share / BATCH))
        chosen.append(f"method.queue_length={batches * BATCH}")
    return chosen


def on_a_gpu(data: Path, device: str) -> list[str]:
    """Where the images are, and what makes the steps fast; losses stay float32."""
    return [
        f"data.path={data}",
        f"device={device}",
        "views=batched",
        "precision=bf16",
    ]


def train(settings: Sequence[str], out: Path) -> list[str]:
    """Run or continue one comparison; return its command.

    Raises:
        SystemExit: If the command fails, with its exit status.
    """
    command = ["-m", "experiments", *settings, f"out={out}"]
    status = subprocess.run([sys.executable, *command], check=False).returncode
    if status:
        sys.exit(status)
    return ["python", *command]


def published_rows(method: str, out: Path, epochs: int) -> list[str]:
    """Rows of a Markdown table: accuracy and forgetting in the end, in percent."""
    runs = find_runs([out])
    accuracy, forgetting = (
        next(each for each in measures(runs) if each.title == title)
        for title in (AVERAGE, FORGETTING)
    )
    shown = []
    for row in rows(group_runs(runs)):
        ends, forgets = (
            Summary.of(row.of(measure).values()) for measure in (accuracy, forgetting)
        )
        shown.append(f"| {method}, {row.label} | {epochs} | {ends} | {forgets} |")
    return shown


def copy_small_files(out: Path, results: Path) -> None:
    """Copy the files that are small enough to be kept, and name those that are not."""
    for path in sorted(each for each in out.rglob("*") if each.is_file()):
        if path.stat().st_size >= LARGEST:
            print(f"not copied to {results}, as it is larger than 16 MiB: {path}")
            continue
        target = results / path.relative_to(out)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, train, print, and keep what is small."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.measurements.shortened"
    )
    parser.add_argument("--data", type=Path, help="folder that holds CIFAR-100")
    parser.add_argument("--device", default="cuda", help="cuda (default) or cpu")
    parser.add_argument("--epochs", type=int, default=100, help="an experience; 100")
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=["vicreg", "mocov2plus"]
    )
    parser.add_argument("--out", type=Path, default=Path("runs/shortened"))
    parser.add_argument("--results", type=Path, help="copy files below 16 MiB here")
    parser.add_argument("--toy", action="store_true", help="digits, for a first try")
    chosen = parser.parse_args(arguments)
    if chosen.epochs < 1:
        parser.error(f"--epochs {chosen.epochs}: give at least 1")
    if chosen.toy == (chosen.data is not None):
        parser.error("give --data, the folder that holds CIFAR-100, or --toy")
    place = TOY if chosen.toy else on_a_gpu(chosen.data, chosen.device)
    table = [
        "| method, regularizer | epochs | accuracy | forgetting |",
        "|---" * 4 + "|",
    ]
    for method in chosen.methods:
        out = chosen.out / method
        command = train([*overrides(method, chosen.epochs), *place], out)
        print(f"{method}: {' '.join(command)}")
        table += published_rows(method, out, chosen.epochs)
    speed = throughput.measure(Setting(torch.device(chosen.device), quick=chosen.toy))
    text = "\n".join([*table, "", str(speed).strip()])
    print(text)
    (chosen.out / "table.md").write_text(f"{text}\n")
    if chosen.results is not None:
        copy_small_files(chosen.out, chosen.results)


if __name__ == "__main__":
    main()
