"""``python -m experiments``: compare regularizers on a stream of experiences.

Heavy modules are imported where they are used: help, ``--cfg`` and typing errors need
none of them.
"""

import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from math import prod

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from avalanche_pnr import __version__
from avalanche_pnr.runs.devices import AUTO, available_device
from avalanche_pnr.runs.failures import warnings_as_lines
from avalanche_pnr.runs.interruption import InterruptedRunError, Interruption
from experiments.checks import check_config
from experiments.failures import EXPECTED, sentence, way_on
from experiments.jobs import (
    COMMAND,
    how_to_continue,
    in_sweep,
    job_name,
    output_folder,
    telling_failed_jobs,
)
from experiments.overrides import CONF, check_overrides, with_own_arguments
from experiments.paths import quoted_paths
from experiments.processes import (
    agree_on,
    join_processes,
    leave_processes,
    speaker,
)
from experiments.seed_list import check_typed_seeds, choose_seeds

# Hydra's sweeper insists on writing a copy of its configuration somewhere.
_SCRATCH = tempfile.TemporaryDirectory()
OmegaConf.register_new_resolver("temporary_folder", lambda: _SCRATCH.name, replace=True)
OmegaConf.register_new_resolver(
    "effective_lr", lambda base_lr, *images: base_lr * prod(images) / 256, replace=True
)
OmegaConf.register_new_resolver("at_most", min, replace=True)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def run(config: DictConfig) -> str | None:
    """Check, train and report; a run that is stopped says how to continue.

    Returns:
        The name of a job of a sweep that has failed, while the others go on.
    """
    try:
        with Interruption() as interruption:
            return carry_out(config, interruption)
    except InterruptedRunError as stop:
        told = f"{speaker()}stopped by {stop}; {how_to_continue(config)}"
        with suppress(OSError):  # its terminal may have been closed
            print(told, file=sys.stderr)
        sys.exit(128 + stop.number)


def carry_out(config: DictConfig, interruption: Interruption) -> str | None:
    """Run what is not finished, and print the report.

    Args:
        config: Composed configuration.
        interruption: Handler of this process's signals.

    Returns:
        As :func:`run`.
    """
    from experiments.prepare import prepared

    try:
        if config.device == AUTO:
            config.device = available_device()
        join_processes(config)
        check_config(config)
        agree_on(config)
        choose_seeds(config)
        train = prepared(config, output_folder(config), interruption)
    except EXPECTED as error:
        sys.exit(f"{speaker()}error: {sentence(error)}")
    try:
        train()
    except EXPECTED as error:
        end = way_on(error, how_to_continue(config))
        stop = f"{speaker()}error: {sentence(error)}{end}"
        if not in_sweep():
            sys.exit(stop)
        print(stop, file=sys.stderr)
        return job_name()
    return None


def main() -> None:
    """Check the names on the command line, then let Hydra compose and run."""
    if "--version" in sys.argv[1:]:
        print(f"avalanche_pnr {__version__}")
        return
    os.environ[COMMAND] = json.dumps(sys.argv[1:])
    sys.argv[1:] = with_own_arguments(quoted_paths(sys.argv[1:]))
    arguments, _ = get_args_parser().parse_known_args()
    try:
        check_overrides(arguments.overrides)
        check_typed_seeds(arguments.overrides)
    except ValueError as error:
        sys.exit(f"{speaker()}error: {error}")
    with telling_failed_jobs(), warnings_as_lines():
        run()
    leave_processes()


if __name__ == "__mp_main__":  # of a process that loads images, where they are spawned
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if __name__ == "__main__":
    main()
