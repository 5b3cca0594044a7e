"""Settings that are refused before data is read."""

from inspect import signature
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from experiments.names import BATCHED, JOINT, SINGLE, VIEWS
from experiments.overrides import check_choice

NUMBERS = {
    "epochs": 1,
    "batch_size": 1,
    "seed": 0,
    "workers": 0,
    "accumulate": 1,
    "stream.experiences": 1,
    "representation_images": 2,
}
"""Settings that are whole numbers, and the least each may be."""


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
    if not isinstance(config.stack_views, bool):
        raise ValueError(f"stack_views must be true or false, not {config.stack_views}")
    minutes = config.save_every_minutes
    if not isinstance(minutes, int | float) or minutes < 0:
        raise ValueError(f"save_every_minutes must be a number from 0, not {minutes}")
    if config.init is not None and not Path(str(config.init)).is_file():
        raise ValueError(f"init={config.init} is no file: write that of some weights")
    check_device(config.device)
    check_views(config)
    check_regularizers(config)
    check_evaluation(config)


def check_views(config: DictConfig) -> None:
    """Refuse what is no way to make views, or not of these, or not in processes.

    Raises:
        ValueError: With what to write instead.
    """
    import torch

    check_choice("views", config.views, VIEWS)
    if config.views != BATCHED:
        return
    views = config.data.views._target_
    if BATCHED not in signature(get_object(views)).parameters:
        raise ValueError(
            f"{views}, which makes the views of data={config.data.name}, makes them of "
            "one image at a time: set views=per_sample, or choose photographs"
        )
    if torch.device(config.device).type != "cpu" and config.workers > 0:
        raise ValueError(
            f"views=batched draws from images on device={config.device}, which the "
            f"processes of workers={config.workers} do not reach: set workers=0, or "
            "views=per_sample"
        )


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
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device} cannot be used: {reason} (device=cpu always can)"
        ) from error
