"""``python -m experiments``: compare regularizers on a stream of experiences."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.names import JOINT, SINGLE
from experiments.overrides import CONF, check_choice, check_overrides, swept_names

# Hydra's sweeper insists on writing a copy of its configuration somewhere.
_SCRATCH = tempfile.TemporaryDirectory()
OmegaConf.register_new_resolver("temporary_folder", lambda: _SCRATCH.name, replace=True)
OmegaConf.register_new_resolver(
    "effective_lr", lambda base_lr, batch_size: base_lr * batch_size / 256, replace=True
)


NUMBERS = {
    "epochs": 1,
    "batch_size": 1,
    "seed": 0,
    "workers": 0,
    "stream.experiences": 1,
    "representation_images": 2,
}
"""Settings that are whole numbers, and the least each may be."""


def output_folder(config: DictConfig) -> Path:
    """Where the run writes: ``out``, and in a multirun a folder of each job in it.

    Raises:
        FileExistsError: If the folder exists and is not empty.
    """
    job = HydraConfig.get()
    out = Path(config.out)
    if job.mode == RunMode.MULTIRUN:
        if (out / "config.yaml").exists():
            raise FileExistsError(f"{out} holds a run: choose another out=")
        swept = swept_names(get_args_parser().parse_known_args()[0].overrides)
        names = [each for each in job.overrides.task if each.split("=")[0] in swept]
        out = out / ",".join(names).replace("/", "_")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"{out} is not an empty folder: choose another out=, or remove it"
        )
    return out


def create(out: Path) -> None:
    """Make the run's folder.

    Raises:
        OSError: If that is not possible.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"out={out} cannot be written ({error})") from error


def check_config(config: DictConfig) -> None:
    """Refuse what can be refused before data is read.

    Raises:
        ValueError: If a value is missing or out of range.
    """
    for key in config.data:
        if OmegaConf.is_missing(config.data, key):
            raise ValueError(f"data={config.data.name} needs data.{key}=...")
    for name, least in NUMBERS.items():
        value = OmegaConf.select(config, name, default=least)
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number from {least}, not {value}")
    check_device(config.device)
    check_regularizers(config)
    check_evaluation(config)


def check_regularizers(config: DictConfig) -> None:
    """Refuse what is no list of regularizers, or not that of the mode.

    Raises:
        ValueError: With what to write instead.
    """
    names, mode = config.regularizers, HydraConfig.get().runtime.choices["mode"]
    if not OmegaConf.is_list(names) or not names or len(set(names)) < len(names):
        raise ValueError(
            f"regularizers={names}: write a list of different names, [finetune,pnr] say"
        )
    for name in names:
        check_choice("regularizer", name, map(str, config.plugins))
    if mode in (JOINT, SINGLE) and list(names) != [mode]:
        raise ValueError(
            f"mode={mode} is without regularizers: leave one of the two out, or write "
            f"regularizers=[{','.join(dict.fromkeys([*names, mode]))}] without mode="
        )


def check_evaluation(config: DictConfig) -> None:
    """Refuse settings of the evaluation that are no lists of valid values.

    Raises:
        ValueError: With what to write instead.
    """
    parts = config.semi_supervised
    if not OmegaConf.is_list(parts) or not all(map(is_fraction, parts)):
        raise ValueError(
            f"semi_supervised={parts}: write a list of fractions above 0 and at most "
            "1, [0.01,0.1] say"
        )
    if not OmegaConf.is_list(config.loggers):
        raise ValueError(f"loggers={config.loggers}: write a list, [tensorboard] say")
    for name in config.loggers:
        check_choice("logger", name, map(str, config.logger))
    if not (config.downstream is None or OmegaConf.is_dict(config.downstream)):
        raise ValueError(
            f"downstream={config.downstream}: write names and what loads them, "
            "'downstream={digits: {_target_: avalanche_pnr.load_digits}}' say"
        )


def is_fraction(value: Any) -> bool:
    """Whether something is a number above 0 and at most 1."""
    return isinstance(value, int | float) and 0 < value <= 1


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        ValueError: With torch's reason.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device} cannot be used: {reason} (device=cpu always can)"
        ) from error


EXPECTED = (InstantiationException, ValueError, OSError, FloatingPointError)
"""Errors that tell what is wrong with the data or the settings."""


def sentence(error: BaseException) -> str:
    """What an error says, without the frames that its way here has put around it."""
    if isinstance(error, InstantiationException) and error.__cause__:
        error = error.__cause__
    text = str(error).strip() or repr(error)
    # From a data loader's process there comes a traceback, the message at its end.
    return text.splitlines()[-1] if text.startswith("Caught ") else text


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def run(config: DictConfig) -> None:
    """Check, train, report."""
    from experiments.report import write_report
    from experiments.run import Comparison

    try:
        check_config(config)
        out = output_folder(config)
        command = list(HydraConfig.get().overrides.task)
        comparison = Comparison(config, command, out)
        create(out)
    except EXPECTED as error:
        sys.exit(f"error: {sentence(error)}")
    try:
        comparison.run()
    except EXPECTED as error:
        stop = f"error: {sentence(error)}"
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            print(stop, file=sys.stderr)  # the other jobs go on
            return
        sys.exit(stop)
    print(write_report([out], out))


def main() -> None:
    """Check the names on the command line, then let Hydra compose and run."""
    arguments, _ = get_args_parser().parse_known_args()
    try:
        check_overrides(arguments.overrides)
    except ValueError as error:
        sys.exit(f"error: {error}")
    run()


if __name__ == "__main__":
    main()
