"""``python -m experiments``: compare regularizers on a stream of experiences.

What is heavy is imported where it is used: help, a configuration and a slip of the
keyboard need none of it.
"""

import json
import os
import shlex
import sys
import tempfile
from math import prod
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from experiments.checks import check_config
from experiments.interruption import InterruptedRunError, Interruption
from experiments.jobs import (
    COMMAND,
    command_line,
    in_sweep,
    job_name,
    output_folder,
    own_command,
    telling_failed_jobs,
)
from experiments.overrides import CONF, check_overrides
from experiments.processes import (
    agree_on,
    join_processes,
    launcher,
    leave_processes,
    speaker,
)

# Hydra's sweeper insists on writing a copy of its configuration somewhere.
_SCRATCH = tempfile.TemporaryDirectory()
OmegaConf.register_new_resolver("temporary_folder", lambda: _SCRATCH.name, replace=True)
OmegaConf.register_new_resolver(
    "effective_lr", lambda base_lr, *images: base_lr * prod(images) / 256, replace=True
)


def create(out: Path) -> None:
    """Make the run's folder.

    Raises:
        OSError: If that is not possible.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"out={out} cannot be written ({error})") from error


EXPECTED = (InstantiationException, ValueError, OSError, FloatingPointError)
"""Errors that tell what is wrong with the data or the settings."""


def sentence(error: BaseException) -> str:
    """What an error says, without the frames that its way here has put around it."""
    if isinstance(error, InstantiationException) and error.__cause__:
        error = error.__cause__
    text = str(error).strip() or repr(error)
    if not text.startswith("Caught "):
        return text
    # From a data loader's process there comes a traceback, the message at its end.
    name = f"{type(error).__module__}.{type(error).__qualname__}: "
    return text.splitlines()[-1].removeprefix(name)


def how_to_continue(config: DictConfig) -> str:
    """The command that goes on where this one stopped."""
    arguments = command_line()
    if not any(each.startswith("out=") for each in arguments):
        arguments = [*arguments, f"out={config.out}"]
    return (
        f"continue with: {shlex.join([*launcher(), '-m', 'experiments', *arguments])}"
    )


def way_on(error: BaseException, config: DictConfig) -> str:
    """What helps after an error that ended a run, as the end of a sentence."""
    from avalanche_pnr.benchmarks.file_images import UnreadableImageError

    if isinstance(error, UnreadableImageError):
        # Without the image it is another run, which the folder refuses.
        return (
            "; to leave it out, also choose another out=; once it is replaced, "
            f"{how_to_continue(config)}"
        )
    # Of the machine, or of the settings.
    return f"; {how_to_continue(config)}" if isinstance(error, OSError) else ""


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def run(config: DictConfig) -> str | None:
    """Check, train, report; whoever stops that is told how to go on.

    Returns:
        The name of a job of a sweep that has failed, while the others go on.
    """
    try:
        with Interruption():
            return carry_out(config)
    except InterruptedRunError as signal:
        stop = f"{speaker()}stopped by {signal}; {how_to_continue(config)}"
        print(stop, file=sys.stderr)
        sys.exit(128 + signal.number)


def carry_out(config: DictConfig) -> str | None:
    """Run what is not finished, and print the report.

    Returns:
        As :func:`run`.
    """
    from avalanche_pnr.distributed import from_first, rank
    from experiments.continuing import is_finished
    from experiments.report import write_report
    from experiments.run import Comparison

    try:
        join_processes(config)
        check_config(config)
        agree_on(config)
        out = output_folder(config)
        command = own_command(out)
        finished = from_first(lambda: is_finished(out, config, command))
        if not finished:
            comparison = Comparison(config, command, out)
            from_first(lambda: create(out))
    except EXPECTED as error:
        sys.exit(f"{speaker()}error: {sentence(error)}")
    try:
        if not finished:
            comparison.run()
        if rank() == 0:
            print(write_report([out], out))
    except EXPECTED as error:
        stop = f"{speaker()}error: {sentence(error)}{way_on(error, config)}"
        if not in_sweep():
            sys.exit(stop)
        print(stop, file=sys.stderr)
        return job_name()
    return None


def main() -> None:
    """Check the names on the command line, then let Hydra compose and run."""
    arguments, _ = get_args_parser().parse_known_args()
    try:
        check_overrides(arguments.overrides)
    except ValueError as error:
        sys.exit(f"{speaker()}error: {error}")
    os.environ[COMMAND] = json.dumps(sys.argv[1:])
    with telling_failed_jobs():
        run()
    leave_processes()


if __name__ == "__main__":
    main()
