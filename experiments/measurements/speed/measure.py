"""Measuring time and memory of contestants in turn, with medians and ranges."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

# Says only errors; read when the first profile begins.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

Work = Callable[[], object]


class Setting(NamedTuple):
    """Settings of a measurement.

    Attributes:
        device: Device that does the work.
        quick: Whether to choose small sizes and few rounds.
        rounds: Number of interleaved runs of each contestant that count.
    """

    device: torch.device
    quick: bool = False
    rounds: int = 5


class Ratio(NamedTuple):
    """Ratio of the costs of two contestants over interleaved rounds.

    Attributes:
        median: The median over the rounds.
        low: The smallest.
        high: The largest.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def now(device: torch.device) -> float:
    """Time in seconds: CPU time of all threads of this process; wall time on a GPU.

    CPU time leaves out the time of other processes on the machine.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def seconds(
    contestants: Mapping[str, Work],
    setting: Setting,
    clock: Callable[[], float] | None = None,
) -> dict[str, list[float]]:
    """Run contestants in turn, once to warm up and then ``setting.rounds`` times.

    Args:
        contestants: Functions to run, by name.
        setting: Where, and how many rounds.
        clock: Seconds that count, by default those of :func:`now`.

    Returns:
        Seconds by contestant, one number a round.
    """
    clock = clock or partial(now, setting.device)
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(setting.rounds + 1):
        for name, work in contestants.items():
            start = clock()
            work()
            taken[name].append(clock() - start)
    return {name: each[1:] for name, each in taken.items()}


def ratio(of: list[float], to: list[float]) -> Ratio:
    """Cost of one contestant in units of another, round by round."""
    each = [a / b for a, b in zip(of, to, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def peak_memory(work: Work, device: torch.device) -> int:
    """Largest number of bytes that tensors take during the work, above the start.

    On the CPU, allocations are counted by PyTorch's profiler.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as trace:
        work()
    results = trace.profiler.kineto_results
    changes = [each for each in results.events() if each.name() == "[memory]"]
    held = peak = 0
    for change in sorted(changes, key=lambda each: each.start_ns()):
        held += change.nbytes()
        peak = max(peak, held)
    return peak
