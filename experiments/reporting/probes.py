"""Descriptions of probes, their limits, and the values found by fitting them."""

import re
from collections.abc import Iterator, Sequence

from experiments.constants import SINGLE
from experiments.results import Run
from experiments.sweep import Group

FUTURE = "sees future classes"
"""Words in the description of a probe that sees future classes."""

DETAILS = {
    "Lr": "learning rate",
    "HeldOutAcc": "accuracy on held-out training data",
    "GradientRatio": "gradient norm at the end / at the start",
}
"""Values found by fitting a probe, with their names in the report."""
NOT_DETAILS = {"Acc", "TaskAware_Acc", "Top5_Acc"}

_DETAIL = re.compile(r"(\w+?)(?:_Stream|_Downstream_(.+))")


def descriptions(runs: Sequence[Run]) -> dict[str, str]:
    """Name and description of each probe."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, description in run.probes.items():
            found.setdefault(name, {})[description] = None
    return {name: " or ".join(texts) for name, texts in found.items()}


def head(run: Run, probe: str) -> str:
    """Name of a probe as it stands over its numbers, marked if it sees the future."""
    # Data sets never seen may be judged on by probes that the run does not describe.
    return f"{probe} ({FUTURE})" if FUTURE in run.probes.get(probe, "") else probe


def caveats(runs: Sequence[Run]) -> list[str]:
    """A sentence on each probe that sees future classes."""
    return [
        f"the {name} probe {FUTURE}: {description}"
        for name, description in descriptions(runs).items()
        if FUTURE in description
    ]


def fits(groups: Sequence[Group]) -> list[tuple[str, str, str, str]]:
    """Values found by fitting: network, probe, name, and value in the end.

    Over several seeds, or the networks of single-experience training, it is the range
    of the values.
    """
    return [
        (label, probe, detail, _range(values))
        for group in groups
        for name in group.names
        for metric, (probe, detail) in _details(group.runs).items()
        if (values := list(_last(group, name, metric)))
        for label in [f"{group.label}: {name}" if group.label else name]
    ]


def _details(runs: Sequence[Run]) -> dict[str, tuple[str, str]]:
    """Metrics of fits, with the probe and the name of each value."""
    found = {}
    for run in runs:
        for metric in run.metrics:
            heads = [p for p in run.probes if metric.startswith(f"{p.capitalize()}_")]
            # The name of one probe may be the start of another's.
            probe = max(heads, key=len, default="")
            match = _DETAIL.fullmatch(metric[len(probe) + 1 :])
            if probe and match and match[1] not in NOT_DETAILS:
                data = f", downstream {match[2]}" if match[2] else ""
                found[metric] = (probe, DETAILS.get(match[1], match[1]) + data)
    return found


def _last(group: Group, name: str, metric: str) -> Iterator[float]:
    """Final values of a metric: one for each seed, for single training K."""
    for results in group.seed_results:
        values = [value for _, value in sorted(results.series(name, metric).items())]
        yield from values if name == SINGLE else values[-1:]


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"
