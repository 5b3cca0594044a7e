"""Cost of probes and measures on cached features."""

from collections.abc import Mapping
from statistics import median

import torch
from torch import Tensor

from avalanche_pnr import KNNProbe, LinearProbe
from avalanche_pnr.evaluation.representation import linear_cka
from experiments.measurements.speed.measure import (
    Setting,
    Work,
    peak_memory,
    seconds,
)
from experiments.measurements.speed.table import Cell, Table

CLASSES, QUERIES = 20, 10_000


def measure(setting: Setting) -> Table:
    """Measure time and memory of probes and CKA on as many features as CIFAR-100 has.

    The memory of the linear probe is that of one pass, which the others repeat.
    """
    images, size = (500, 64) if setting.quick else (50_000, 512)
    x, y = _features(images, size, setting.device)
    queries = x[: min(QUERIES, images)]

    def neighbours() -> list[Tensor]:
        readout = KNNProbe().fit(x, y)
        return [readout(rows) for rows in torch.split(queries, 512)]

    works: dict[str, Work] = {
        "linear probe": lambda: LinearProbe().fit(x, y),
        f"20 neighbours of {len(queries)}": neighbours,
        "CKA": lambda: linear_cka(x, x.flip(0)),
    }
    once = {**works, "linear probe": lambda: LinearProbe([0.1], epochs=1).fit(x, y)}
    taken = seconds(works, setting._replace(rounds=1))
    rows: list[Mapping[str, Cell]] = [
        {
            "what": name,
            "seconds": median(taken[name]),
            "memory (MiB)": round(peak_memory(once[name], setting.device) / 2**20),
        }
        for name in works
    ]
    return Table(f"Judging {images} cached features of size {size}", rows)


def _features(images: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(images) % CLASSES
    centres = torch.randn(CLASSES, size, generator=generator)
    noise = torch.randn(images, size, generator=generator)
    return (0.25 * centres[labels] + 2 * noise).to(device), labels.to(device)
