"""Paths on the command line: ``~`` and spaces, which Hydra's grammar does not take."""

import os
from collections.abc import Iterable


def quoted_paths(arguments: Iterable[str]) -> list[str]:
    """Expand ``~`` in arguments, and quote paths with spaces.

    Args:
        arguments: Arguments of the command line; only ``name=value`` changes.
    """
    return [_quoted(each) for each in arguments]


def _quoted(argument: str) -> str:
    name, equals, value = argument.partition("=")
    path = os.path.expanduser(value)
    has_spaces = " " in path and os.sep in path and not path.startswith(("[", "{"))
    if not equals or value.startswith(("'", '"')) or (path == value and not has_spaces):
        return argument
    if "," in path and path == value:  # the values of a sweep, or a path: as written
        return argument
    escaped = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"
