"""Results of one seed, from one run or several, for the rows of a table."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avalanche_pnr.evaluation.accuracy_matrix import Matrix
from experiments.constants import JOINT, REFERENCES, SINGLE
from experiments.results import Run

Row = NDArray[np.float64]
"""Accuracies on the test data of each experience, shape (K,)."""


@dataclass(frozen=True)
class SeedResults:
    """All that was evaluated with one seed, in one run or in several.

    Attributes:
        seed: The seed.
        runs: The run that holds each regularizer or reference, by its name.
        repeated: Sentences on names that are in several runs, of which the first
            counts.
    """

    seed: int
    runs: dict[str, Run]
    repeated: list[str]

    def matrix(self, name: str, metric: str) -> Matrix | None:
        """The accuracy matrix a[t, k], or None if it was not measured."""
        run = self.runs.get(name)
        if run is None or not run.holds(name, metric):
            return None
        return run.matrix(name, metric)

    def final(self, name: str, metric: str) -> Row | None:
        """Final accuracies; for single-experience training FT[k].

        If a stream has one test set for all, each single model's accuracy on it; None
        if some experiences have no test images.
        """
        a = self.matrix(name, metric)
        if a is None:
            return None
        if name == SINGLE and a.shape[1] not in (1, len(a)):
            return None
        own = a[:, 0] if a.shape[1] == 1 else a.diagonal()
        row: Row = own if name == SINGLE else a[-1]
        return row

    def series(self, name: str, metric: str) -> dict[int, float]:
        """A metric of the whole stream after each experience; may be empty."""
        return self.runs[name].series(name, metric) if name in self.runs else {}


def match(runs: Iterable[Run]) -> list[SeedResults]:
    """Combine runs of the same seed, in the order of the seeds."""
    seed_results: dict[int, SeedResults] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        results = seed_results.setdefault(run.seed, SeedResults(run.seed, {}, []))
        for name in run.names:
            first = results.runs.setdefault(name, run)
            if first is not run and is_trained(name):
                results.repeated.append(
                    f"{name} with seed {run.seed} is in {first.title} and "
                    f"{run.title}: the first counts"
                )
    return list(seed_results.values())


def is_trained(name: str) -> bool:
    """Return whether a name is that of anything but an untrained reference."""
    return name not in REFERENCES


def is_learner(name: str) -> bool:
    """Return whether a name is that of a continual learner."""
    return name not in (*REFERENCES, JOINT, SINGLE)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names: lower references, learners, upper reference; each once."""
    lower, upper = [*REFERENCES, SINGLE], [JOINT]
    unique = list(dict.fromkeys(names))
    return [
        *(name for name in lower if name in unique),
        *(name for name in unique if is_learner(name)),
        *(name for name in upper if name in unique),
    ]
