"""Jobs of a sweep: what each is called, where it writes, and which have failed."""

import json
import os
import re
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

from experiments.overrides import swept_names
from experiments.processes import speaker

COMMAND = "AVALANCHE_PNR_COMMAND"
"""Tells the jobs of a sweep, which launchers start, what it was started with."""


def command_line() -> list[str]:
    """The arguments that the run, or its sweep, was started with."""
    arguments: list[str] = json.loads(os.environ[COMMAND])
    return arguments


def in_sweep() -> bool:
    """Whether this run is a job of a sweep."""
    return bool(HydraConfig.get().mode == RunMode.MULTIRUN)


def job_name() -> str:
    """The settings that tell this job from the others of its sweep."""
    given = get_args_parser().parse_known_args(command_line())[0]
    swept = swept_names(given.overrides)
    task = HydraConfig.get().overrides.task
    return ",".join(each for each in task if each.split("=")[0] in swept)


def output_folder(config: DictConfig) -> Path:
    """Where the run writes: ``out``, and in a multirun a folder of each job in it.

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


def own_command(out: Path) -> list[str]:
    """Arguments that run this alone, a job of a sweep in the folder it has there.

    Args:
        out: That folder.
    """
    task = list(HydraConfig.get().overrides.task)
    if not in_sweep():
        return task
    quoted = str(out).replace('"', '\\"')  # names of jobs hold what Hydra parses
    return [f'out="{quoted}"' if each.startswith("out=") else each for each in task]


@contextmanager
def telling_failed_jobs() -> Iterator[None]:
    """Let a sweep end with the names of its failed jobs, which those return.

    ``hydra.main`` drops what launchers give back of the jobs, so it is taken where it
    comes from.

    Raises:
        SystemExit: If a job has failed, when all have ended.
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
