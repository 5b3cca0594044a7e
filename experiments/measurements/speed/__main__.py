"""The command line of the comparisons."""

import argparse
import json
import math
import platform
import time
from pathlib import Path
from typing import Any

import torch

from experiments.environment import environment
from experiments.measurements.speed import (
    experiences,
    judging,
    linear,
    loading,
    loop,
    loss,
    precision,
    saving,
    small,
    step,
    throughput,
    views,
    waits,
)
from experiments.measurements.speed.measure import Setting

COMPARISONS = {
    "throughput": throughput.measure,
    "step": step.measure,
    "precision": precision.measure,
    "small": small.measure,
    "views": views.measure,
    "loss": loss.measure,
    "loop": loop.measure,
    "judging": judging.measure,
    "loading": loading.measure,
    "waits": waits.measure,
    "saving": saving.measure,
    "linear": linear.measure,
    "experiences": experiences.measure,
}
"""Comparisons, most important first: ``--minutes`` leaves the last ones out."""


def processor(device: torch.device) -> str:
    """Name of the processor or GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    return models[0] if models else platform.processor()


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m experiments.measurements.speed")
    parser.add_argument("what", nargs="*", help=", ".join(COMPARISONS))
    parser.add_argument("--all", action="store_true", help="all of them: the default")
    parser.add_argument(
        "--minutes", type=float, help="begin none after so many; 6 on a GPU"
    )
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args(arguments)
    if chosen.all and chosen.what:
        parser.error(f"--all and {' '.join(chosen.what)}: give one of the two")
    names = chosen.what or list(COMPARISONS)
    for name in names:
        if name not in COMPARISONS:
            parser.error(f"there is no {name}: choose of {', '.join(COMPARISONS)}")
    setting = Setting(chosen.device, chosen.quick, rounds=3 if chosen.quick else 5)
    if setting.device.type == "cpu":
        torch.set_num_threads(1)
    conditions: dict[str, Any] = {
        **environment(),
        "processor": processor(setting.device),
        "threads": torch.get_num_threads(),
        "time": "wall" if setting.device.type == "cuda" else "of this process's CPU",
    }
    print(", ".join(f"{name} {value}" for name, value in conditions.items()))
    minutes = chosen.minutes or (6 if setting.device.type == "cuda" else math.inf)
    end = time.monotonic() + 60 * minutes
    found: dict[str, Any] = {}
    for name in names:
        if time.monotonic() > end:
            left_out = [each for each in names if each not in found]
            print(f"\nleft out after {minutes:g} minutes: {', '.join(left_out)}")
            break
        table = COMPARISONS[name](setting)
        found[name] = table.record()
        print(f"\n{table}", flush=True)
        if chosen.json:  # at once, for whoever is stopped
            record = {"conditions": conditions, "tables": found}
            chosen.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
