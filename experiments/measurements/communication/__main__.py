"""The command line of the measurements.

``steps``, started by ``torchrun --standalone --nproc-per-node 2 -m``
    bytes of real steps beside the formula;
``network --mbit 1000 100``
    the same between network namespaces, and the time of a step against bandwidth;
``estimate``
    ImageNet-1k in ten experiences on 8 and on 64 GPUs.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from avalanche_pnr import resnet18, resnet_small
from avalanche_pnr.distributed.collectives import join, leave, rank, world_size
from experiments.measurements.communication.estimate import Cluster, estimate
from experiments.measurements.communication.network import INTERFACE, machines, torchrun
from experiments.measurements.communication.steps import (
    Sent,
    interface_bytes,
    measured,
    written_bytes,
)
from experiments.measurements.communication.traffic import traffic
from experiments.measurements.speed.step import METHODS
from experiments.measurements.speed.table import Table

BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "resnet_small": resnet_small,
    "resnet18": resnet18,
}
CLUSTERS = [Cluster(8, 64, 60, 100), Cluster(64, 64, 60, 25)]


def steps(chosen: argparse.Namespace) -> None:
    """Bytes of real steps, counted in every process and printed by the first.

    Raises:
        ValueError: If there is only one process.
    """
    join("cpu")
    if world_size() == 1:
        raise ValueError(
            "one process sends nothing: start several, with torchrun --standalone "
            "--nproc-per-node 2 -m experiments.measurements.communication steps"
        )
    torch.set_num_threads(1)
    interface = chosen.interface
    count: Sent = written_bytes
    if interface:
        count = partial(interface_bytes, interface)
    rows = []
    for name in chosen.methods:
        torch.manual_seed(0)
        method = METHODS[name](BACKBONES[chosen.backbone]())
        found = measured(method, chosen.batch, chosen.steps, count)
        expected = traffic(method, chosen.batch, world_size()).total
        rows.append(
            {
                "method": name,
                "formula (MB)": expected / 1e6,
                "counted (MB)": found.sent / 1e6,
                "counted / formula": found.sent / expected,
                "step (s)": found.seconds,
            }
        )
    if rank() == 0:
        title = f"A step of PNR, {chosen.backbone}, N = {chosen.batch}"
        table = Table(f"{title}, {world_size()} processes", rows)
        print(json.dumps(table.record()) if chosen.json else table)
    leave()


def network(chosen: argparse.Namespace) -> None:
    """The same on machines of one process each, with links of several speeds."""
    own = [
        f"--{name}={getattr(chosen, name)}" for name in ("backbone", "batch", "steps")
    ]
    command = [__package__, "steps", "--json", *own, f"--interface={INTERFACE}"]
    # An end in order, which takes the machines away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rows: list[dict[str, Any]] = []
    unlimited: dict[str, float] = {}
    for mbit in (None, *chosen.mbit):
        with machines(chosen.processes, mbit) as prefixes:
            output = torchrun(prefixes, *command, "--methods", *chosen.methods)
        for row in json.loads(output.splitlines()[-1])["rows"]:
            fastest = unlimited.setdefault(row["method"], row["step (s)"])
            row["Mbit / s"] = mbit or "no limit"
            row["longer by (s)"] = row["step (s)"] - fastest
            row["sending (s)"] = row["counted (MB)"] * 8 / mbit if mbit else 0
            rows.append(row)
    title = f"A step of PNR, {chosen.backbone}, N = {chosen.batch}"
    print(Table(f"{title}, {chosen.processes} machines", rows))


def scale(chosen: argparse.Namespace) -> None:
    """Print the estimate."""
    clusters = [Cluster(int(p), int(n), *rest) for p, n, *rest in chosen.cluster]
    print(estimate(clusters or CLUSTERS, chosen.epochs))


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, count, print."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.measurements.communication"
    )
    commands = parser.add_subparsers(required=True)
    training = argparse.ArgumentParser(add_help=False)
    training.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    training.add_argument("--backbone", choices=BACKBONES, default="resnet_small")
    training.add_argument("--batch", type=int, default=32, help="of all processes")
    training.add_argument("--steps", type=int, default=3, help="that count")
    each = commands.add_parser("steps", parents=[training], help="under torchrun")
    each.add_argument("--interface", help="count what it sends, not what is written")
    each.add_argument("--json", action="store_true")
    each.set_defaults(run=steps)
    each = commands.add_parser("network", parents=[training], help="on Linux, as root")
    each.add_argument("--processes", type=int, default=2)
    each.add_argument("--mbit", nargs="*", type=float, default=[], help="limits")
    each.set_defaults(run=network)
    each = commands.add_parser("estimate")
    each.add_argument("--epochs", type=int, default=100, help="of each experience")
    each.add_argument(
        "--cluster",
        nargs=4,
        type=float,
        action="append",
        default=[],
        metavar=("GPUS", "IMAGES", "TFLOPS", "GB"),
        help="GPUs, images on each, and what each sustains: TFLOP/s, GB/s to the next",
    )
    each.set_defaults(run=scale)
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except (PermissionError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
