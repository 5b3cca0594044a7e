"""Checks of a run's folder: whether it holds this run, and whether that is finished."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from avalanche_pnr.runs.lock import LOCK, check_free
from experiments.builders import data_facts, make_data
from experiments.constants import CONFIG, RESULTS, STATE
from experiments.journal import saved_state
from experiments.results import Run, read_run
from experiments.run_files import read_config

MAY_DIFFER = (
    "device",
    "workers",
    "out",
    "save_every_minutes",
    "seeds",
    "jobs",
    "distributed.backend",
    "distributed.timeout_minutes",
)
"""Settings whose values may change when a run is continued."""


def is_finished(out: Path, config: DictConfig, command: Sequence[str] = ()) -> bool:
    """Return whether a run has finished; if not, it can be started or continued.

    Args:
        out: Folder of the run; nothing is written to it.
        config: Configuration of the run.
        command: Arguments of the command line from which it was composed.

    Raises:
        BlockingIOError: If it is running.
        FileExistsError: If the folder holds anything else.
        ValueError: If it holds a run of another configuration, with the differences,
            or one that cannot be continued.
    """
    if not out.exists() or not _content(out):
        return False
    if not (out / CONFIG).is_file():
        raise FileExistsError(
            f"{out} is not an empty folder: choose another out=, or remove it"
        )
    check_free(out)
    check_same(out, config, command)
    state = saved_state(out / STATE)
    if state is not None:
        return bool(state["finished"])
    if not (out / RESULTS).exists():
        return False  # it was stopped before anything
    try:
        read_run(out)
    except ValueError as error:
        raise ValueError(f"{error} ({out / STATE}, to continue it, is missing)") from (
            error
        )
    return True


def create(out: Path) -> None:
    """Make a run's folder.

    Raises:
        OSError: If it cannot be created.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"out={out} cannot be written ({error})") from error


def changed_data(out: Path, config: DictConfig) -> str | None:
    """Return a sentence if the data is no longer that of a finished run.

    Args:
        out: Folder of the run.
        config: Its configuration.
    """
    state = saved_state(out / STATE)
    if state is None:
        return None
    there = state["facts"]["data"]
    try:
        here = data_facts(config, make_data(config))
    except (ValueError, OSError, InstantiationException) as error:
        return f"note: the data of this finished run can no longer be read ({error})"
    changed = differing(there, here)
    if not changed:
        return None
    return (
        f"note: the data have changed since this run was finished (differing: "
        f"{changed}), and the report is of what they were: to train on what they are, "
        "choose another out="
    )


def differing(there: dict[str, str], here: dict[str, str]) -> str:
    """List the names of the facts that differ; empty if none does."""
    names = sorted(there.keys() | here.keys())
    return ", ".join(each for each in names if there.get(each) != here.get(each))


def check_same(out: Path, config: DictConfig, command: Sequence[str] = ()) -> None:
    """Refuse to continue a run with another configuration.

    Raises:
        ValueError: If settings differ, with each of them, those of the command line
            first; or if the configuration in the folder cannot be read.
    """
    there, here = _relevant(read_config(out / CONFIG)), settings(config)
    given = [each.lstrip("+").split("=")[0] for each in command]

    def is_derived(name: str) -> bool:
        return not any(f"{name}.".startswith(f"{each}.") for each in given)

    names = sorted(sorted(there.keys() | here.keys()), key=is_derived)
    different = [
        f"{name} is {_shown(there, name)} there and {_shown(here, name)} here"
        for name in names
        if there.get(name) != here.get(name)
    ]
    if different:
        raise ValueError(
            f"{out} holds a run of another configuration ({'; '.join(different)}): "
            "give the same to continue it, or choose another out="
        )


def settings(config: DictConfig) -> dict[str, Any]:
    """Settings that a run's numbers depend on, by their names on the command line."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return _relevant({str(key): value for key, value in plain.items()})


def _relevant(config: dict[str, Any]) -> dict[str, Any]:
    every = Run(Path(), config, []).settings
    return {name: value for name, value in every.items() if name not in MAY_DIFFER}


def _shown(of: dict[str, Any], name: str) -> str:
    return str(of[name]) if name in of else "not set"


def _content(out: Path) -> list[Path]:
    """Content of a folder, except what a run leaves if it is killed at once."""

    def entries() -> Iterator[Path]:
        for path in out.iterdir():
            if path.name != LOCK and not path.name.startswith("."):
                yield path

    if not out.is_dir():
        return [out]
    return list(entries())
