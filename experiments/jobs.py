"""Jobs of a sweep: their names, their folders, and those that have failed."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.overrides import parse, swept_names
from experiments.processes import launcher, speaker

COMMAND = "AVALANCHE_PNR_COMMAND"
"""Environment variable with the command line of a sweep, for its jobs."""


def command_line() -> list[str]:
    """Arguments with which the run, or its sweep, was started."""
    arguments: list[str] = json.loads(os.environ[COMMAND])
    return arguments


def in_sweep() -> bool:
    """Return whether this run is a job of a sweep."""
    return bool(HydraConfig.get().mode == RunMode.MULTIRUN)


def settings_typed() -> set[str]:
    """Names of the settings on the command line."""
    return {parse(each).key_or_group for each in _overrides()}


def seed_is_swept() -> bool:
    """Return whether the jobs of a sweep differ in their seed."""
    return in_sweep() and "seed" in swept_names(_overrides())


def job_name() -> str:
    """The settings in which this job differs from others of its sweep."""
    swept = swept_names(_overrides())
    task = HydraConfig.get().overrides.task
    return ",".join(each for each in task if each.split("=")[0] in swept)


def _overrides() -> list[str]:
    """Settings on the command line."""
    given = get_args_parser().parse_known_args(command_line())[0]
    return list(given.overrides)


def output_folder(config: DictConfig) -> Path:
    """Folder of the run: ``out``, in a multirun a folder of each job in it.

    Raises:
        FileExistsError: If the folder of a multirun holds a single run.
    """
    out = Path(config.out)
    if not in_sweep():
        return out
    if (out / "config.yaml").exists():
        raise FileExistsError(f"{out} holds a run: choose another out=")
    # Characters that names of files cannot have everywhere.
    return out / re.sub(r'[<>:"/\\|?*]', "_", job_name())


def own_command(out: Path, seed: int | None = None) -> list[str]:
    """Arguments that run one job of a sweep, or one of several seeds, alone.

    Args:
        out: Folder of the job or seed.
        seed: Its seed, if it is one of several.
    """
    task = list(HydraConfig.get().overrides.task)
    if seed is None and not in_sweep():
        return task
    quoted = str(out).replace('"', '\\"')  # names of jobs hold what Hydra parses
    own = {"out": f'"{quoted}"', "seeds": "1"}
    if seed is not None:
        own["seed"] = str(seed)
    others = [each for each in task if each.partition("=")[0] not in {*own, "jobs"}]
    return [*others, *(f"{name}={value}" for name, value in own.items())]


def how_to_continue(config: DictConfig) -> str:
    """The command that continues this run."""
    arguments = command_line()
    if not any(each.startswith("out=") for each in arguments):
        arguments = [*arguments, f"out={config.out}"]
    return (
        f"continue with: {shlex.join([*launcher(), '-m', 'experiments', *arguments])}"
    )


@contextmanager
def telling_failed_jobs() -> Iterator[None]:
    """End a sweep with the names of its failed jobs, which those return.

    ``hydra.main`` drops the results that launchers return, so they are taken from the
    launcher.

    Raises:
        SystemExit: When all have ended, if a job has failed.
    """
    multirun = Hydra.multirun

    def told(*arguments: Any, **options: Any) -> Any:
        batches = multirun(*arguments, **options)
        names = [job.return_value for batch in batches for job in batch]
        if failed := [name for name in names if name is not None]:
            sys.exit(
                f"{speaker()}error: {len(failed)} of {len(names)} jobs failed: "
                f"{'; '.join(failed)}"
            )
        return batches

    Hydra.multirun = told  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.multirun = multirun  # type: ignore[method-assign]
