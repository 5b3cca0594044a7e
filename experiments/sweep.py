"""Runs of a sweep: what their commands differ in, and which differ in the seed only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.overrides import check_choice
from experiments.results import Run

IGNORED = {"seed", "out", "device", "workers"}
"""Settings that runs of one table may differ in."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed only.

    Attributes:
        label: What their command lines say and those of other groups do not; empty
            if there is no other group.
        runs: One for each seed.
    """

    label: str
    runs: list[Run]


def group_runs(runs: list[Run], by: Sequence[str] = ()) -> list[Group]:
    """Put runs together that differ in the seed only, in the order they come.

    Args:
        runs: Runs of one or of several settings.
        by: Settings that tell the groups apart; by default all that differ.

    Raises:
        ValueError: If runs differ in settings that no command line names, or no
            command line names a setting of ``by``.
    """
    given = [_given(run) for run in runs]
    names = list(dict.fromkeys(name for each in given for name in each))
    for name in by:
        check_choice("swept setting", name, names)
    swept = [n for n in names if len({_value(run, n) for run in runs}) > 1]
    # What was trained makes the rows of a table, not a table of its own.
    swept = list(by) or [name for name in swept if name != "regularizers"] or swept
    groups: dict[str, list[Run]] = {}
    for run in runs:
        label = ", ".join(f"{_short(name)}={_value(run, name)}" for name in swept)
        groups.setdefault(label, []).append(run)
    for members in groups.values():
        _check_alike(members)
    return [Group(label, members) for label, members in groups.items()]


def _given(run: Run) -> dict[str, str]:
    """Settings of a run's command line."""
    pairs = (override.lstrip("+").split("=", 1) for override in run.command)
    return {name: value for name, value in pairs if name not in IGNORED}


def _value(run: Run, name: str) -> str:
    """What the configuration says of a setting, or the command line of a group."""
    value: Any = run.config
    for part in name.split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    if not isinstance(value, dict):
        return str(value)
    default = str(value.get("_target_", "default")).rpartition(".")[2]
    return _given(run).get(name, default)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _check_alike(runs: list[Run]) -> None:
    first = _settings(runs[0])
    for run in runs[1:]:
        other = _settings(run)
        different = {
            name for name in first | other if first.get(name) != other.get(name)
        }
        if different:
            raise ValueError(
                f"{run.folder} differs from {runs[0].folder} in "
                f"{', '.join(sorted(different))}, of which their commands say nothing: "
                "report them apart"
            )


def _settings(run: Run) -> dict[str, Any]:
    settings = {key: each for key, each in run.config.items() if key not in IGNORED}
    # Most streams are seeded by the run's seed.
    settings["stream"] = {**settings["stream"], "seed": None}
    return settings
