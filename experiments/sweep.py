"""Grouping the runs of a sweep by the settings in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from experiments.overrides import check_choice
from experiments.results import Run
from experiments.seed_results import SeedResults, in_order, match

IGNORED = {
    "seed",
    "seeds",
    "jobs",
    "out",
    "device",
    "workers",
    "distributed",
    "loggers",
    "logger",
    "training",
}
"""Settings in which runs of one table may differ."""
TRAINED = {"mode", "regularizers", "references"}
MEASURED = {"downstream", "semi_supervised", "representation_images"}
"""Settings that form rows and columns of a table, not separate tables."""


@dataclass(frozen=True)
class Group:
    """Runs that differ only in the seed and in what was trained.

    Attributes:
        label: Settings on their command lines that differ from other groups; empty
            if there is no other group.
        runs: One or several runs for each seed.
    """

    label: str
    runs: list[Run]

    @cached_property
    def seed_results(self) -> list[SeedResults]:
        """Results of each seed."""
        return match(self.runs)

    @cached_property
    def names(self) -> list[str]:
        """Names of all that was evaluated, in the order of the table's rows."""
        return in_order(name for run in self.runs for name in run.names)

    @property
    def probe(self) -> str:
        """The main probe."""
        return self.runs[0].probe


def group_runs(runs: list[Run], by: Sequence[str] = ()) -> list[Group]:
    """Group runs that differ only in the seed and in what was trained.

    Args:
        runs: Runs of one or of several settings.
        by: Settings that distinguish the groups; by default all that differ.

    Raises:
        ValueError: If runs differ in settings that no command line names, or no
            command line names a setting of ``by``.
    """
    given = [_given(run) for run in runs]
    names = list(dict.fromkeys(name for each in given for name in each))
    for name in by:
        check_choice("swept setting", name, names)
    swept = [n for n in names if len({_value(run, n) for run in runs}) > 1]
    swept = list(by) or [n for n in swept if _group(n) not in TRAINED | MEASURED]
    groups: dict[str, list[Run]] = {}
    for run in runs:
        label = ", ".join(f"{_short(name)}={_value(run, name)}" for name in swept)
        groups.setdefault(label, []).append(run)
    for members in groups.values():
        _check_alike(members)
    if len(groups) == 1:
        return [Group("", runs)]
    return [Group(label, members) for label, members in groups.items()]


def _given(run: Run) -> dict[str, str]:
    """Settings on a run's command line."""
    pairs = (override.lstrip("+").split("=", 1) for override in run.command)
    return {name: value for name, value in pairs if _group(name) not in IGNORED}


def _value(run: Run, name: str) -> str:
    """Value of a setting in the configuration, or of a group on the command line."""
    if name in run.settings:
        return str(run.settings[name])
    default = str(run.settings.get(f"{name}._target_", "default"))
    return _given(run).get(name, default.rpartition(".")[2])


def _group(name: str) -> str:
    return name.partition(".")[0]


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _check_alike(runs: list[Run]) -> None:
    first = _settings(runs[0])
    for run in runs[1:]:
        other = _settings(run)
        if _lengths(run) != _lengths(runs[0]):
            raise ValueError(
                f"{run.folder} and {runs[0].folder} have the same settings and streams "
                f"of {_lengths(run)} and {_lengths(runs[0])} experiences for training "
                "and test: one of them was changed; report them apart"
            )
        different = {
            name for name in first | other if first.get(name) != other.get(name)
        }
        if different:
            raise ValueError(
                f"{run.folder} differs from {runs[0].folder} in "
                f"{', '.join(sorted(different))}, of which their commands say nothing: "
                "report them apart"
            )


def _lengths(run: Run) -> tuple[int, int]:
    return run.experiences, run.test_experiences


def _settings(run: Run) -> dict[str, Any]:
    """Settings that must be the same in runs of one table."""
    free = IGNORED | TRAINED | MEASURED
    return {
        name: value
        for name, value in run.settings.items()
        # Most streams are seeded by the run's seed.
        if _group(name) not in free and name != "stream.seed"
    }
