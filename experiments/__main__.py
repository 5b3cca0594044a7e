"""``python -m experiments``: compare regularizers on a stream of experiences."""

import sys
import tempfile
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.overrides import CONF, check_choice, check_overrides

# Hydra's sweeper insists on writing a copy of its configuration somewhere.
_SCRATCH = tempfile.TemporaryDirectory()
OmegaConf.register_new_resolver("temporary_folder", lambda: _SCRATCH.name, replace=True)


def output_folder(config: DictConfig) -> Path:
    """Where the run writes: ``out``, and in a multirun a folder of each job in it.

    Raises:
        FileExistsError: If the folder exists and is not empty.
    """
    job = HydraConfig.get()
    out = Path(config.out)
    if job.mode == RunMode.MULTIRUN:
        out = out / (job.job.override_dirname.replace("/", "_") or str(job.job.num))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"{out} is not an empty folder: choose another out=, or remove it"
        )
    return out


def check_config(config: DictConfig) -> None:
    """Refuse what can be refused before data is read.

    Raises:
        ValueError: If a value is missing or out of range.
    """
    for key in config.data:
        if OmegaConf.is_missing(config.data, key):
            raise ValueError(f"data={config.data.name} needs data.{key}=...")
    if not config.regularizers:
        raise ValueError("regularizers is empty: name one at least")
    for name in config.regularizers:
        check_choice("regularizer", name, map(str, config.plugins))
    if config.epochs < 1:
        raise ValueError(f"epochs must be 1 or more, got {config.epochs}")


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def run(config: DictConfig) -> None:
    """Check, train, report."""
    from experiments.report import write_report
    from experiments.run import Comparison

    try:
        check_config(config)
        out = output_folder(config)
        comparison = Comparison(config, out)
        out.mkdir(parents=True, exist_ok=True)
    except InstantiationException as error:
        sys.exit(f"error: {error.__cause__ or error}")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    comparison.run()
    print(write_report([out], out))


def main() -> None:
    """Check the names on the command line, then let Hydra compose and run."""
    arguments = sys.argv[1:]
    overrides = [each for each in arguments if "=" in each and each[0] != "-"]
    try:
        check_overrides(overrides)
    except ValueError as error:
        sys.exit(f"error: {error}")
    run()


if __name__ == "__main__":
    main()
