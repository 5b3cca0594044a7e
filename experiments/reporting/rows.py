"""Rows of the tables: each regularizer's and reference's figures, by seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.reporting.measures import Measure, measures
from experiments.seed_results import SeedResults, is_learner
from experiments.sweep import Group

Values = dict[int, float]
"""A figure by seed, for seeds that have it; NaN where it is not defined."""


@dataclass(frozen=True)
class Row:
    """The figures of a regularizer or reference in one setting.

    Attributes:
        setting: Settings that distinguish its runs in a sweep; may be empty.
        name: The regularizer or reference.
        values: Values of each measure, by seed.
    """

    setting: str
    name: str
    values: dict[Measure, Values]

    @property
    def label(self) -> str:
        """Setting and name."""
        return f"{self.setting}: {self.name}" if self.setting else self.name

    @property
    def seeds(self) -> list[int]:
        """Seeds for which there is any figure."""
        return sorted({seed for values in self.values.values() for seed in values})

    def of(self, measure: Measure) -> Values:
        """A figure by seed; empty where it was not measured."""
        return self.values.get(measure, {})


def rows(groups: Sequence[Group]) -> list[Row]:
    """Rows of all groups; references that are equal in all of them once, in front."""
    each = [row for group in groups for row in _rows(group)]
    copies = Counter(row.name for row in each)
    firsts = {row.name: row for row in reversed(each)}
    shared = [
        name
        for name, first in firsts.items()
        if not is_learner(name)
        and 1 < copies[name] == len(groups)
        and all(row.values == first.values for row in each if row.name == name)
    ]
    return [
        *(replace(firsts[name], setting="") for name in reversed(shared)),
        *(row for row in each if row.name not in shared),
    ]


def by_seed(seed_results: Sequence[SeedResults], name: str, measure: Measure) -> Values:
    """A figure by seed, for the seeds that have it."""
    figures = {results.seed: measure.of(results, name) for results in seed_results}
    return {seed: value for seed, value in figures.items() if value is not None}


def _rows(group: Group) -> list[Row]:
    return [
        Row(
            group.label,
            name,
            {
                measure: values
                for measure in measures(group.runs)
                if (values := by_seed(group.seed_results, name, measure))
            },
        )
        for name in group.names
    ]
