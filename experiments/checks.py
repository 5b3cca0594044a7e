"""Checks of settings before data is read."""

import math
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from avalanche_pnr.learner.targets import refuse_standard_library
from avalanche_pnr.runs.devices import choose_device
from experiments.constants import BATCHED, JOINT, SINGLE, VIEWS
from experiments.overrides import check_choice
from experiments.seed_list import check_seeds

NUMBERS = {
    "epochs": 1,
    "batch_size": 1,
    "seed": 0,
    "workers": 0,
    "accumulate": 1,
    "stream.n_experiences": 1,
    "representation_images": 2,
    "mem_size": 2,
    "data.image_size": 1,
    "method.hidden_dim": 1,
    "method.projection_dim": 1,
    "schedule.warmup_epochs": 0,
}
"""Settings that are whole numbers, and the least value of each."""
MOST = {"epochs": 10**6}
"""The largest value of some of them, where it is not ``LARGEST``."""
LARGEST = 2**32 - 1
"""The largest whole number of any setting: what seeds of NumPy may be."""
REPLAY = "avalanche.training.plugins.ReplayPlugin"
"""The plugin of `er`, whose memory may be too small for its batches."""
RATES = ("base_lr", "adamw_lr")
"""Learning rates for 256 images."""
OPTIONAL = {
    "downstream",
    "init",
    "init_key",
    "jobs",
    "predictor_hidden_dim",
    "validation",
}
"""Settings that may be null."""


def check_config(config: DictConfig) -> None:
    """Refuse invalid settings, as far as they are known before data is read.

    Raises:
        ValueError: If a value is missing or out of range.
    """
    for key in config.data:
        if OmegaConf.is_missing(config.data, key) or (
            key == "path" and config.data.path in (None, "")
        ):
            raise ValueError(f"data={config.data.name} needs data.{key}=...")
    check_given(config)
    check_numbers(config)
    if not isinstance(config.stack_views, bool):
        raise ValueError(f"stack_views must be true or false, not {config.stack_views}")
    if config.init is not None and not Path(str(config.init)).is_file():
        raise ValueError(
            f"init={config.init} is not a file: name one with weights, a run's "
            "backbone_NAME.safetensors for example"
        )
    if config.init is None and config.init_key is not None:
        raise ValueError(
            f"init_key={config.init_key} names a network of a file: write init=FILE too"
        )
    if config.validation is not None and not is_open_fraction(config.validation):
        raise ValueError(
            f"validation={config.validation}: write the fraction of each class's "
            "training images that is held out, above 0 and below 1, for example 0.2"
        )
    check_seeds(config)
    choose_device(config.device)
    check_backbone(config.backbone._target_)
    check_optimizer(config)
    check_views(config)
    check_regularizers(config)
    check_replay(config)
    check_evaluation(config)


def check_given(config: DictConfig) -> None:
    """Refuse settings that are null but needed.

    Raises:
        ValueError: If there is one, with how to get its default.
    """
    required = [str(key) for key in config if key not in OPTIONAL]
    for name in [*required, "probes.main", "backbone._target_"]:
        if OmegaConf.is_missing(config, name) or OmegaConf.select(config, name) is None:
            raise ValueError(
                f"{name} has no value: leave {name}=null out for the default, or write "
                f"{name}=..."
            )


def check_numbers(config: DictConfig) -> None:
    """Refuse numbers out of range, and values that are not numbers.

    Raises:
        ValueError: If there is one, with the range.
    """
    for name, least in NUMBERS.items():
        value = OmegaConf.select(config, name, default=least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number from {least}, not {value}")
        if value > (most := MOST.get(name, LARGEST)):
            raise ValueError(f"{name} must be at most {most}, not {value}")
    for name in RATES:
        rate = OmegaConf.select(config, name, default=1)
        if not isinstance(rate, int | float) or not 0 < rate < math.inf:
            raise ValueError(f"{name} must be a number above 0, not {rate}")
    minutes = config.save_every_minutes
    if not isinstance(minutes, int | float) or minutes < 0:
        raise ValueError(f"save_every_minutes must be a number from 0, not {minutes}")
    timeout = config.distributed.timeout_minutes
    if not isinstance(timeout, int | float) or timeout <= 0:
        raise ValueError(
            f"distributed.timeout_minutes must be a number above 0, not {timeout}"
        )


def check_backbone(target: Any) -> None:
    """Refuse the name of a backbone that cannot be imported, or that makes none.

    Raises:
        ValueError: If it cannot, with Python's reason.
    """
    if not isinstance(target, str):
        raise ValueError(
            f"backbone._target_={target} is not a name: write that of a function or "
            "class, for example torchvision.models.resnet18"
        )
    refuse_standard_library("backbone._target_", target)
    try:
        get_object(target)
    except Exception as error:  # whatever the import of a user's module raises
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(
            f"backbone._target_={target} cannot be imported ({reason}): write the "
            "dotted name of a function or class that can, "
            "for example torchvision.models.resnet18"
        ) from error


def check_optimizer(config: DictConfig) -> None:
    """Refuse a learning rate in the setting of another optimizer.

    Raises:
        ValueError: If it is, with the optimizer's own setting.
    """
    given = [each.split("=")[0] for each in HydraConfig.get().overrides.task]
    if "base_lr" in given and "adamw_lr" in config:
        raise ValueError(
            "base_lr is the learning rate of sgd and lars: with optimizer=adamw write "
            "adamw_lr=..."
        )


def check_views(config: DictConfig) -> None:
    """Refuse ways to make views that do not exist or do not fit data or workers.

    Raises:
        ValueError: If so, with what to type instead.
    """
    import torch

    check_choice("views", config.views, VIEWS)
    if config.views != BATCHED:
        return
    views = config.data.views._target_
    if not takes_batches(views):
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


def takes_batches(transform: str) -> bool:
    """Return whether a function makes transforms of whole batches, if asked to."""
    return BATCHED in signature(get_object(transform)).parameters


def check_regularizers(config: DictConfig) -> None:
    """Refuse anything but a list of regularizers that suits the mode.

    Raises:
        ValueError: If it is anything else, with what to type instead.
    """
    names, mode = config.regularizers, HydraConfig.get().runtime.choices["mode"]
    if not OmegaConf.is_list(names) or not names or len(set(names)) < len(names):
        raise ValueError(
            f"regularizers={names}: write a list of different names, for example "
            "[finetune,pnr]"
        )
    for name in names:
        check_choice("regularizer", name, map(str, config.plugins))
        check_plugins(name, config.plugins[name])
    if mode in (JOINT, SINGLE) and list(names) != [mode]:
        raise ValueError(
            f"mode={mode} takes no regularizers: leave one of the two out, or write "
            f"regularizers=[{','.join(dict.fromkeys([*names, mode]))}] without mode="
        )


def check_plugins(name: str, plugins: Any) -> None:
    """Refuse anything but a list of plugins, which may be the user's own.

    Raises:
        ValueError: If it is anything else, with what to type instead.
    """
    if not OmegaConf.is_list(plugins) or not all(
        OmegaConf.is_dict(each) and isinstance(each.get("_target_"), str)
        for each in plugins
    ):
        raise ValueError(
            f"plugins.{name}={plugins} is not a list of plugins: write "
            f"'+plugins.{name}=[{{_target_: your_module.YourPlugin}}]', with arguments "
            "after the name if there are any"
        )
    for plugin in plugins:
        refuse_standard_library(f"plugins.{name}", plugin["_target_"])


def check_replay(config: DictConfig) -> None:
    """Refuse replay memories that are smaller than the batches drawn from them.

    Raises:
        ValueError: If one is, with the size needed.
    """
    for name in config.regularizers:
        for plugin in config.plugins[name]:
            batch = plugin.get("batch_size_mem") or config.batch_size
            size = plugin.get("mem_size", batch)
            if plugin._target_ == REPLAY and size < batch:
                raise ValueError(
                    f"{name} adds {batch} images of its memory to each batch and may "
                    f"keep {size}: write mem_size={batch} or more"
                )


def check_evaluation(config: DictConfig) -> None:
    """Refuse settings of the evaluation that are not lists of valid values.

    Raises:
        ValueError: If one is not, with what to type instead.
    """
    parts = config.semi_supervised
    if not OmegaConf.is_list(parts) or not all(map(is_fraction, parts)):
        raise ValueError(
            f"semi_supervised={parts}: write a list of fractions above 0 and at most "
            "1, for example [0.01,0.1]"
        )
    if not OmegaConf.is_list(config.loggers):
        raise ValueError(
            f"loggers={config.loggers}: write a list, for example [tensorboard]"
        )
    if not OmegaConf.is_list(config.references):
        raise ValueError(
            f"references={config.references}: write a list, for example "
            "['random backbone'], or [] for none"
        )
    for name in config.loggers:
        check_choice("logger", name, map(str, config.logger))
    if "mlflow" in config.loggers and find_spec("mlflow") is None:
        raise ValueError("loggers=[mlflow] needs mlflow: pip install '.[mlflow]'")
    if not (config.downstream is None or OmegaConf.is_dict(config.downstream)):
        raise ValueError(
            f"downstream={config.downstream}: write names and what loads them, "
            "for example 'downstream={digits: {_target_: avalanche_pnr.load_digits}}'"
        )


def is_fraction(value: Any) -> bool:
    """Return whether a value is a number above 0 and at most 1."""
    return isinstance(value, int | float) and 0 < value <= 1


def is_open_fraction(value: Any) -> bool:
    """Return whether a value is a number above 0 and below 1."""
    return is_fraction(value) and value < 1
