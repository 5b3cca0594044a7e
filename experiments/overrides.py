"""Names on the command line: an unknown one gets the nearest valid name."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).parent / "conf"
INTERNAL = {"cifar_views"}


def check_overrides(overrides: list[str]) -> None:
    """Refuse names and choices that the configuration does not have.

    Args:
        overrides: Command-line arguments of the form ``name=value``.

    Raises:
        ValueError: For an unknown one, with the nearest valid name.
    """
    groups = {
        folder.name: sorted({file.stem for file in folder.glob("*.yaml")} - INTERNAL)
        for folder in CONF.iterdir()
        if folder.is_dir()
    }
    names = sorted(groups.keys() | set(_names()))
    for override in _parse(overrides):
        key = override.key_or_group
        if override.is_add() or override.is_delete() or key.startswith("hydra"):
            continue
        if key not in names:
            raise ValueError(f"there is no setting {key!r}{suggest(key, names)}")
        if key in groups and isinstance(value := override.value(), str):
            check_choice(key, value, groups[key])


def _parse(overrides: list[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides(overrides)
    except OverrideParseException as error:
        raise ValueError(
            f"{error.override!r} is not understood: write name=value, and quote "
            "values with special characters, as in 'out=\"a=b\"'"
        ) from error


def check_choice(what: str, value: str, valid: Iterable[str]) -> None:
    """Refuse a value that is not among the valid ones.

    Raises:
        ValueError: With the nearest valid value, or with all of them.
    """
    valid = list(valid)
    if value not in valid:
        raise ValueError(f"there is no {what}={value}{suggest(value, valid)}")


def suggest(name: str, valid: list[str]) -> str:
    """The nearest valid names, as the end of a sentence."""
    near = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    tails = [each for each in valid if each.rpartition(".")[2] == name]
    if near or tails:
        return f"; did you mean {' or '.join(dict.fromkeys(tails + near))}?"
    return f"; there are {', '.join(valid)}"


def _names() -> Iterator[str]:
    for file in CONF.rglob("*.yaml"):
        config = OmegaConf.load(file)
        assert isinstance(config, DictConfig)
        is_global = file.parent == CONF or "@package _global_" in file.read_text()
        prefix = "" if is_global else f"{file.parent.name}."
        yield from (prefix + name for name in _dotted(config))


def _dotted(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        if key in ("defaults", "hydra") and not prefix:
            continue
        yield prefix + key
        if not OmegaConf.is_missing(config, key) and OmegaConf.is_dict(
            child := config._get_node(key)
        ):
            assert isinstance(child, DictConfig)
            yield from _dotted(child, f"{prefix}{key}.")
