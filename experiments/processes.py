"""The processes that ``torchrun`` has started with one command."""

import os
import shutil
import sys
from pathlib import Path

from omegaconf import DictConfig


def launched_together() -> bool:
    """Return whether ``torchrun`` has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def join_processes(config: DictConfig) -> None:
    """Join the processes of a run; without ``torchrun``, do nothing.

    Raises:
        ValueError: If a restart would not find the run to continue.
    """
    restarts = int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0))
    if restarts and not any(each.startswith("out=") for each in sys.argv[1:]):
        raise ValueError(
            "torchrun --max-restarts needs out=..., where the restarted run is "
            "continued"
        )
    from avalanche_pnr.distributed.collectives import join

    join(config.device, **config.distributed)


def leave_processes() -> None:
    """Leave the processes in order at the end; without ``torchrun``, do nothing."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        from avalanche_pnr.distributed.collectives import leave

        leave()


def agree_on(config: DictConfig) -> None:
    """Make all processes use one output folder.

    Raises:
        ValueError: If they were started with different configurations.
    """
    from avalanche_pnr.distributed.collectives import (
        assert_same_across_ranks,
        broadcast_from_rank0,
    )
    from experiments.continuing import settings

    assert_same_across_ranks(settings(config))
    config.out = broadcast_from_rank0(lambda: config.out)


def launcher() -> list[str]:
    """Command that starts Python: itself, or ``torchrun`` with as many processes."""
    size = os.environ.get("LOCAL_WORLD_SIZE")
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={size}"]
    return [_interpreter(), *([] if size is None else torchrun)]


def _interpreter() -> str:
    """Command for this Python: its name, if that is on the path, else its location."""
    python, here = Path(sys.executable), Path.cwd()
    if shutil.which(python.name) == str(python):
        return python.name
    return str(python.relative_to(here) if python.is_relative_to(here) else python)


def speaker() -> str:
    """Prefix of error messages that names the process, if it is not the first."""
    number = os.environ.get("RANK", "0")
    return "" if number == "0" else f"process {number}: "
