"""Paths on the command line as people write them, which Hydra's grammar does not take.

Among them are ``~``, letters such as ü, parentheses and apostrophes.
"""

import os
from collections.abc import Iterable

from experiments.overrides import parse


def quoted_paths(arguments: Iterable[str]) -> list[str]:
    """Expand ``~`` in arguments, and quote values that Hydra does not understand.

    Args:
        arguments: Arguments of the command line; only ``name=value`` changes.
    """
    return [_quoted(each) for each in arguments]


def _quoted(argument: str) -> str:
    name, equals, value = argument.partition("=")
    path = os.path.expanduser(value)
    if not equals or value.startswith(("'", '"', "[", "{")):
        return argument
    if path == value and (_is_understood(argument) or any(c in value for c in ",=")):
        return argument  # the values of a sweep and a forgotten quote stay as written
    escaped = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def _is_understood(argument: str) -> bool:
    try:
        parse(argument)
    except ValueError:
        return False
    return True
