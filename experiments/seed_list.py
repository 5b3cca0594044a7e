"""The seeds that a command runs, and their folders."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.jobs import seed_is_swept, settings_typed
from experiments.overrides import parse, swept_names
from experiments.processes import launched_together


def check_typed_seeds(overrides: Sequence[str]) -> None:
    """Refuse command lines that give seeds in two ways.

    Args:
        overrides: Command-line arguments of the form ``name=value``.

    Raises:
        ValueError: If one does, with what was typed, and what to leave out.
    """
    typed = {name: _typed(overrides, name) for name in ("seed", "seeds")}
    if not typed["seeds"]:
        return
    first, *more = typed["seeds"]
    if more:
        raise ValueError(f"{first} and {more[0]}: seeds is given twice, leave one out")
    if "seeds" in swept_names([first]):
        values = first.partition("=")[2]
        raise ValueError(f"{first}: seeds are a list, write seeds=[{values}]")
    if not typed["seed"]:
        return
    seed = typed["seed"][-1]
    if "seed" in swept_names([seed]):
        raise ValueError(
            f"{first} and --multirun {seed} both say which seeds to run: leave one of "
            "them out"
        )
    if isinstance(parse(first).value(), list):
        raise ValueError(f"{first} lists the seeds: leave {seed} out")


def check_seeds(config: DictConfig) -> None:
    """Refuse anything but a number or list of seeds, and a number of jobs.

    Raises:
        ValueError: If it is anything else, with what to type instead.
    """
    seeds, jobs = config.seeds, config.jobs
    if OmegaConf.is_list(seeds):
        listed = list(seeds)
        if not listed or not all(_is_whole(each, 0) for each in listed):
            raise ValueError(
                f"seeds={listed}: list whole numbers from 0, for example seeds=[10,11]"
            )
        if twice := [each for each in dict.fromkeys(listed) if listed.count(each) > 1]:
            raise ValueError(
                f"seeds={listed} lists {twice[0]} twice: name each seed once"
            )
    elif not _is_whole(seeds, 1):
        raise ValueError(
            f"seeds must be a whole number from 1, or a list such as [10,11], not "
            f"{seeds}"
        )
    if jobs is not None and not _is_whole(jobs, 1):
        raise ValueError(f"jobs must be a whole number from 1, not {jobs}")


def choose_seeds(config: DictConfig) -> None:
    """Choose one seed under ``torchrun`` or in a sweep, unless several are asked for.

    Raises:
        ValueError: If several are asked for under ``torchrun``.
    """
    if seed_is_swept():
        config.seeds = 1
    if launched_together() and not runs_alone(config):
        if "seeds" in settings_typed():
            raise ValueError(
                f"seeds={config.seeds} runs each seed in a process of its own, and "
                "torchrun has started several for one run: leave seeds out, and write "
                "--multirun seed=0,1 for one after the other"
            )
        config.seeds = 1


def runs_alone(config: DictConfig) -> bool:
    """Return whether there is only one seed, whose run is in ``out`` itself."""
    return bool(config.seeds == 1)


def seeds_of(config: DictConfig) -> list[int]:
    """The seeds, in the order in which they are started."""
    if OmegaConf.is_list(config.seeds):
        return list(config.seeds)
    return [config.seed + number for number in range(config.seeds)]


def seed_folder(out: Path, seed: int) -> Path:
    """Folder of a seed's run."""
    return out / f"seed={seed}"


def seed_config(config: DictConfig, out: Path, seed: int) -> DictConfig:
    """The configuration of one seed's run."""
    own = config.copy()
    own.seed, own.seeds, own.out = seed, 1, str(seed_folder(out, seed))
    return own


def jobs_at_a_time(config: DictConfig, seeds: int) -> tuple[int, str]:
    """Number of seeds run at a time, and a note if it is below the number asked for.

    Args:
        config: Composed configuration.
        seeds: Total number of seeds.
    """
    available = physical_cores()
    if config.jobs is None:
        on_cpu = str(config.device).startswith("cpu")
        return min(seeds, available if on_cpu else 1), ""
    if config.jobs <= available:
        return min(seeds, config.jobs), ""
    return min(seeds, available), (
        f"note: jobs={config.jobs} is more than the {available} physical cores here, "
        f"which would be slower: {min(seeds, available)} seeds run at a time"
    )


def physical_cores() -> int:
    """Number of physical cores that this process may use."""
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return int(cores)


def _typed(overrides: Sequence[str], name: str) -> list[str]:
    """Arguments that set a setting."""
    return [text for text in overrides if parse(text).key_or_group == name]


def _is_whole(value: Any, least: int) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and value >= least
