"""Measures of a regularizer: accuracies, and figures of the accuracy matrix."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from avalanche_pnr.evaluation import (
    average_incremental_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    plasticity,
)
from avalanche_pnr.evaluation.accuracy_matrix import Matrix
from experiments.constants import JOINT, RANDOM, SINGLE
from experiments.reporting.probes import head
from experiments.results import Run
from experiments.seed_results import SeedResults, is_learner

AVERAGE, TASK_AWARE, TOP5 = "average accuracy", "task-aware", "top-5"
INCREMENTAL, FORGETTING = "average incremental accuracy", "forgetting"
BACKWARD, FORWARD = "backward transfer", "forward transfer"
PLASTICITY = "plasticity"
DOWNSTREAM = "downstream "

READINGS = {AVERAGE: "Acc", TASK_AWARE: "TaskAware_Acc", TOP5: "Top5_Acc"}
"""Ways of reading a probe's scores, with the name of the metric."""

DEFINITIONS = {
    INCREMENTAL: "mean over t of the mean accuracy on experiences 1..t, after "
    "experience t",
    FORGETTING: "also stability S, lower is better: mean over k < T of "
    "max_t (a[t, k] - a[T, k])",
    BACKWARD: "mean over k < T of a[T, k] - a[k, k]",
    FORWARD: "mean over k ≥ 2 of a[k-1, k] - r[k], with r of the random backbone",
    PLASTICITY: "P, higher is better: P = 1/(T-1) Σ_{t=1..T-1} 1/(T-t) Σ_{k>t} "
    "(a[t, k] - FT[k]), with FT[k] the accuracy on experience k of a model trained on "
    "it alone",
}
"""Formulas; a[t, k] is the accuracy on experience k of the model after experience t."""

IN_THE_END = {
    SINGLE: "not one network after the last experience but T, each trained on one "
    "experience alone: the mean over k of FT[k], the accuracy of the k-th on the test "
    "data of experience k (on all test data where it is not split)",
    JOINT: "one network, trained once on the data of all experiences",
}
"""Notes on rows whose numbers are not those of a continual learner."""
NEVER_SEEN = {
    SINGLE: "the mean over T networks, each trained on one experience alone",
    JOINT: IN_THE_END[JOINT],
}
"""The same for data sets never seen in training."""

Compute = Callable[[SeedResults, str], float | None]
"""The figure of a regularizer with one seed; NaN if undefined, None if not measured."""


@dataclass(frozen=True)
class Measure:
    """One figure of a regularizer or reference.

    Attributes:
        title: Name of the measure.
        probe: Name of its probe as shown.
        of: Function that computes it.
    """

    title: str
    probe: str
    of: Compute = field(compare=False, repr=False)


def measures(runs: Iterable[Run]) -> list[Measure]:
    """Every figure that can be computed from some runs, each once."""
    return list(dict.fromkeys(each for run in runs for each in _measures(run)))


def accuracy(probe: str, reading: str = AVERAGE) -> Measure:
    """Mean accuracy in the end over the test data of all experiences."""
    metric = f"{probe.capitalize()}_{READINGS[reading]}_Exp"

    def of(results: SeedResults, name: str) -> float | None:
        final = results.final(name, metric)
        return None if final is None else float(final.mean())

    return Measure(reading, probe, of)


def over_stream(probe: str) -> list[Measure]:
    """Measures that compare experiences, defined for continual learners."""
    metric = f"{probe.capitalize()}_Acc_Exp"

    def from_matrix(title: str, figure: Callable[[Matrix], float]) -> Measure:
        return Measure(title, probe, _of_learners(metric, lambda _, a: figure(a)))

    def forward(results: SeedResults, a: Matrix) -> float | None:
        random = results.final(RANDOM, metric)
        return None if random is None else forward_transfer(a, random)

    def plastic(results: SeedResults, a: Matrix) -> float | None:
        single = results.matrix(SINGLE, metric)
        return None if single is None else plasticity(a, single.diagonal())

    return [
        from_matrix(INCREMENTAL, average_incremental_accuracy),
        from_matrix(FORGETTING, forgetting),
        from_matrix(BACKWARD, backward_transfer),
        Measure(FORWARD, probe, _of_learners(metric, forward)),
        Measure(PLASTICITY, probe, _of_learners(metric, plastic)),
    ]


def downstream(probe: str, data: str) -> Measure:
    """Accuracy on a data set never seen; of single models, their mean."""
    metric = f"{probe.capitalize()}_Acc_Downstream_{data}"

    def of(results: SeedResults, name: str) -> float | None:
        series = results.series(name, metric)
        if not series:
            return None
        if name == SINGLE:
            return sum(series.values()) / len(series)
        return series[max(series)]

    return Measure(f"{DOWNSTREAM}{data}", probe, of)


def _measures(run: Run) -> list[Measure]:
    found = [
        *(accuracy(probe, reading) for probe in run.probes for reading in READINGS),
        *over_stream(run.probe),
        *(downstream(probe, data) for probe, data in _downstream(run)),
    ]
    return [replace(measure, probe=head(run, measure.probe)) for measure in found]


def _downstream(run: Run) -> list[tuple[str, str]]:
    """Pairs of a probe and the name of a data set never seen."""
    matches = (re.fullmatch(r"(\w+?)_Acc_Downstream_(.+)", m) for m in run.metrics)
    return [(m[1].lower(), m[2]) for m in matches if m]


def _of_learners(
    metric: str, figure: Callable[[SeedResults, Matrix], float | None]
) -> Compute:
    def of(results: SeedResults, name: str) -> float | None:
        a = results.matrix(name, metric) if is_learner(name) else None
        return None if a is None else figure(results, a)

    return of
