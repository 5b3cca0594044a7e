"""Names on the command line; unknown ones are refused with the nearest valid name."""

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import cache
from itertools import product
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig

CONF = Path(__file__).parent / "conf"
RECIPE, PARTS = "recipe", "published"
FIXED_BY_RECIPE = ("method", "optimizer", "stream")
FEW = 12
"""Number of names up to which all of them are listed."""
ANY_BACKBONE = "any"
"""Option of ``backbone`` without any arguments but those on the command line."""


def with_own_arguments(arguments: list[str]) -> list[str]:
    """Give ``backbone._target_=...`` only the arguments on the command line.

    Args:
        arguments: Arguments of the command line.

    Returns:
        The arguments, unchanged if no target is named or it has a backbone.
    """
    option = next((a for a in arguments if a.startswith("backbone=")), None)
    named = any(each.startswith("backbone._target_=") for each in arguments)
    if not named or option not in (None, f"backbone={ANY_BACKBONE}"):
        return arguments
    own = [re.sub(r"^\+*(backbone\.(?!_target_=))", r"++\1", a) for a in arguments]
    return own if option else [*own, f"backbone={ANY_BACKBONE}"]


def check_overrides(overrides: list[str]) -> None:
    """Refuse names and choices that the configuration does not have.

    Args:
        overrides: Command-line arguments of the form ``name=value``.

    Raises:
        ValueError: If one is unknown, with the nearest valid name.
    """
    groups = {
        folder.name: sorted(
            file.relative_to(folder).with_suffix("").as_posix()
            for file in folder.glob("*/*.yaml" if folder.name == RECIPE else "*.yaml")
        )
        for folder in CONF.iterdir()
        if folder.is_dir() and folder.name != PARTS
    }
    parsed = [parse(text) for text in overrides]
    chosen: dict[str, list[str]] = {}
    for override in parsed:
        if (group := override.key_or_group) in groups:
            if group == RECIPE and not override.is_add():
                raise ValueError(f"a recipe is added: write +{override.input_line}")
            chosen[group] = _choices(override)
            for value in chosen[group]:
                check_choice(group, value, groups[group])
    check_recipe(chosen)
    names = _names(chosen)
    for override in parsed:
        key = override.key_or_group
        if key in names or key in groups or key.startswith("hydra"):
            continue
        if chosen.get("backbone") == [ANY_BACKBONE] and key.startswith("backbone."):
            continue  # an argument of its own
        if re.fullmatch(r"plugins\.[^.]+", key):
            adds = override.is_add() or override.is_force_add()
            if adds and key.partition(".")[2].isidentifier():
                continue  # a regularizer of the user's own
            raise ValueError(
                f"there is no setting {key!r}: to add a regularizer of your own, write "
                "'+plugins.NAME=[...]', with letters, digits and _ in NAME"
                f"{suggest(key, sorted(names))}"
            )
        for group in filter(key.startswith, groups):
            if options := [
                option
                for option in groups[group]
                if key in _names({**chosen, group: [option]})
            ]:
                raise ValueError(f"{key} needs {group}={' or '.join(options)}")
        raise ValueError(
            f"there is no setting {key!r}{suggest(key, sorted({*names, *groups}))}"
        )


def swept_names(overrides: list[str]) -> set[str]:
    """Settings with several values for ``--multirun``."""
    parsed = [parse(text) for text in overrides]
    return {
        str(each.input_line).split("=")[0]
        for each in parsed
        if each.is_sweep_override()
    }


def check_recipe(chosen: dict[str, list[str]]) -> None:
    """Refuse choices that contradict the recipe.

    Args:
        chosen: Options chosen on the command line, by group.

    Raises:
        ValueError: If there is one, with what the recipe is for.
    """
    for recipe in chosen.get(RECIPE, []):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose(
                "config", [f"+{RECIPE}={recipe}"], return_hydra_config=True
            )
        own = config.hydra.runtime.choices
        for group in FIXED_BY_RECIPE:
            for option in chosen.get(group, []):
                if option != own[group]:
                    raise ValueError(
                        f"{RECIPE}={recipe} is for {group}={own[group]}, not for "
                        f"{option}: leave {group}= out, or choose another recipe"
                    )


def check_choice(what: str, value: str, valid: Iterable[str]) -> None:
    """Refuse a value that is not among the valid ones.

    Raises:
        ValueError: If it is not, with the nearest valid value or all of them.
    """
    valid = list(valid)
    if value not in valid:
        raise ValueError(f"there is no {what}={value}{suggest(value, valid)}")


def suggest(name: str, valid: list[str]) -> str:
    """Return the nearest valid names, or a few to choose from, to end a sentence.

    They are compared with and without their groups.
    """

    def likeness(candidate: str) -> float:
        written = (candidate, candidate.rpartition(".")[2])
        return max(SequenceMatcher(None, each, name).ratio() for each in written)

    nearest = sorted(valid, key=likeness, reverse=True)[:3]
    if near := [each for each in nearest if likeness(each) >= 0.5]:
        return f"; did you mean {' or '.join(near)}?"
    if len(valid) <= FEW:
        return f"; there are {', '.join(valid)}"
    return f"; the nearest are {', '.join(nearest)}, and --help shows all"


def parse(text: str) -> Override:
    """Parse a command-line argument.

    Raises:
        ValueError: If it is not of the form ``name=value``.
    """
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        raise ValueError(
            f"{text!r} is not understood: write name=value, and quote values with "
            "special characters, as in 'out=\"a=b\"'"
        ) from error
    if override.is_delete():
        raise ValueError(f"{text!r}: settings cannot be removed, only changed")
    return override


def _choices(override: Override) -> list[str]:
    """Options of a group in an override, several in a sweep."""
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    value = override.value()
    if not isinstance(value, str):
        group = override.key_or_group
        raise ValueError(
            f"{override.input_line}: {group} takes one name; to try several, "
            f"--multirun {group}=first,second"
        )
    return [value]


def _names(chosen: dict[str, list[str]]) -> set[str]:
    """Names of all settings in the configurations that choices compose to."""
    groups = [f"{'+' * (group == RECIPE)}{group}" for group in chosen]
    return {
        name
        for options in product(*chosen.values())
        for name in _names_with(*map("=".join, zip(groups, options, strict=True)))
    }


@cache
def _names_with(*choices: str) -> frozenset[str]:
    """Names of all settings with one option of each group; slow to compose."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return frozenset(_dotted(compose("config", list(choices))))


def _dotted(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        yield prefix + key
        node = config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_missing():
            yield from _dotted(node, f"{prefix}{key}.")
