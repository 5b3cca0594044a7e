"""Provenance of the numbers: versions, commands, configurations."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.results import Run


@dataclass(frozen=True)
class Origin:
    """Provenance of a run's numbers.

    Attributes:
        title: Name of the run in the report.
        command: The command as typed.
        settings: Settings in which it differs from other runs of the report.
    """

    title: str
    command: str
    settings: dict[str, Any]


def origins(runs: Sequence[Run]) -> tuple[list[Origin], dict[str, Any]]:
    """Each run's own settings, and those that all runs have in common."""
    flat = [run.settings for run in runs]
    common = {
        name: value
        for name, value in flat[0].items()
        if all(name in settings and settings[name] == value for settings in flat)
    }
    own = [{k: v for k, v in each.items() if k not in common} for each in flat]
    found = [
        Origin(run.title, _command(run), settings)
        for run, settings in zip(runs, own, strict=True)
    ]
    return found, common


def environment(runs: Sequence[Run]) -> dict[str, str]:
    """Versions that the numbers depend on."""
    lines = [line for run in runs for line in run.of("environment")]
    names = dict.fromkeys(key for line in lines for key in line if key != "run")
    return {
        name: ", ".join(
            dict.fromkeys(str(line[name]) for line in lines if name in line)
        )
        for name in names
    }


def _command(run: Run) -> str:
    return shlex.join(["python", "-m", "experiments", *run.command])
