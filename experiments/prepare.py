"""Checks of a run, or of several seeds, before training."""

import sys
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from avalanche_pnr.distributed.collectives import broadcast_from_rank0, rank
from avalanche_pnr.runs.interruption import Interruption
from experiments.constants import CONFIG
from experiments.continuing import changed_data, create, is_finished
from experiments.jobs import how_to_continue, own_command
from experiments.parallel import FailedSeedsError, SeedRun, SeedRuns
from experiments.report import write_report
from experiments.run import Comparison
from experiments.seed_list import (
    jobs_at_a_time,
    runs_alone,
    seed_config,
    seed_folder,
    seeds_of,
)


def prepared(
    config: DictConfig, out: Path, interruption: Interruption
) -> Callable[[], None]:
    """Check a command before training; nothing is written.

    Args:
        config: Composed configuration.
        out: Folder of the run, or the folder for several seeds.
        interruption: Handler of this process's signals.

    Returns:
        Function that trains what is not finished and prints the report.

    Raises:
        ValueError: If data and settings do not fit together, or the folder holds
            anything else.
        OSError: If the folder cannot be used.
    """
    if runs_alone(config):
        return _one_run(config, out)
    return _several_seeds(config, out, interruption)


def _one_run(config: DictConfig, out: Path) -> Callable[[], None]:
    command, comparison = own_command(out), None
    finished = broadcast_from_rank0(lambda: is_finished(out, config, command))
    if not finished:
        comparison = Comparison(config, command, out)
        broadcast_from_rank0(lambda: create(out))

    def train() -> None:
        if comparison is not None:
            comparison.run()
        if rank() == 0:
            print(write_report([out], out))
            if finished and (note := changed_data(out, config)):
                print(note)

    return train


def _several_seeds(
    config: DictConfig, out: Path, interruption: Interruption
) -> Callable[[], None]:
    if (out / CONFIG).exists():
        raise FileExistsError(
            f"{out} holds the run of one seed (seeds=1): choose another out= for "
            "several"
        )
    runs = [_seed_run(config, out, seed) for seed in seeds_of(config)]
    rest = [run for run in runs if not is_finished(run.out, run.config, run.command)]
    # As many as the whole command has: a continued run keeps its number of threads.
    jobs, note = jobs_at_a_time(config, len(runs))

    def train() -> None:
        if note and rest:
            print(note, file=sys.stderr)
        failed = SeedRuns(rest, jobs, interruption).run()
        if ended := [run.out for run in runs if run.seed not in failed]:
            print(write_report(ended, out))
        if failed:
            raise FailedSeedsError(failed, len(runs))

    return train


def _seed_run(config: DictConfig, out: Path, seed: int) -> SeedRun:
    folder = seed_folder(out, seed)
    return SeedRun(
        seed,
        seed_config(config, out, seed),
        own_command(folder, seed),
        folder,
        how_to_continue(config),
    )
