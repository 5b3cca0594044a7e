"""The command line: which comparisons, where, and where to write them."""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import torch

from experiments.environment import environment
from experiments.measurements.speed import (
    experiences,
    linear,
    loop,
    loss,
    precision,
    saving,
    step,
    throughput,
    views,
    waits,
)
from experiments.measurements.speed.measure import Setting

COMPARISONS = {
    "step": step.measure,
    "loss": loss.measure,
    "loop": loop.measure,
    "linear": linear.measure,
    "experiences": experiences.measure,
    "throughput": throughput.measure,
    "views": views.measure,
    "waits": waits.measure,
    "precision": precision.measure,
    "saving": saving.measure,
}


def processor(device: torch.device) -> str:
    """The name of what computes."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    return models[0] if models else platform.processor()


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m experiments.measurements.speed")
    parser.add_argument("what", nargs="*", help=", ".join(COMPARISONS) + "; or all")
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args(arguments)
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
    tables = {}
    for name in names:
        tables[name] = COMPARISONS[name](setting)
        print(f"\n{tables[name]}", flush=True)
    if chosen.json:
        found = {name: table.record() for name, table in tables.items()}
        text = json.dumps({"conditions": conditions, "tables": found}, indent=1)
        chosen.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
