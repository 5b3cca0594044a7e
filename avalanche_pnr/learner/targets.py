"""Importing and calling a function by its dotted name on the command line."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from avalanche_pnr.learner.names import nearest


def imported(option: str, name: str) -> Callable[..., Any]:
    """Import the function or class of a dotted name, ``package.module.Class``.

    Args:
        option: That named it.
        name: Of a module, and of what is in it.

    Raises:
        ValueError: If there is none, or it is of Python's own library.
    """
    refuse_standard_library(option, name)
    module, _, attribute = name.rpartition(".")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a module of a user's raises what it likes
        raise ValueError(
            f"{option}={name} cannot be imported ({error}): write "
            "package.module.name, of a package that is installed"
        ) from error
    return found


def refuse_standard_library(option: str, name: str) -> None:
    """Refuse functions such as ``os.system``: none of them makes a network or images.

    Args:
        option: That named it.
        name: A dotted name, of which nothing is imported.

    Raises:
        ValueError: If it is of Python's own library.
    """
    if name.partition(".")[0] in sys.stdlib_module_names:
        raise ValueError(
            f"{option}={name} is of Python's own library and is not called: write the "
            "name of a function or class of your own or of a package, for example "
            "torchvision.models.resnet18 or torchvision.datasets.CIFAR10"
        )


def call(option: str, make: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call a function with arguments of the command line.

    Args:
        option: That names them, as ``backbone.width=32`` does.
        make: What is called.
        arguments: By name.

    Raises:
        ImportError: As the function.
        OSError: As the function.
        ValueError: If it does not take an argument, with the nearest, or fails.
    """
    _check_names(option, make, arguments)
    try:
        return make(**arguments)
    except (ImportError, OSError):
        raise
    except Exception as error:  # those of others raise what they like
        given = ", ".join(f"{option}.{k}={v}" for k, v in arguments.items())
        raise ValueError(
            f"{option} cannot be made{given and f' with {given}'}: {error}"
        ) from error


def _check_names(option: str, make: Callable[..., Any], names: Iterable[str]) -> None:
    """Refuse names of arguments that a function does not have."""
    try:
        valid = inspect.signature(make).parameters
    except ValueError:
        return  # some of Python's own do not say
    takes_any = any(each.kind is each.VAR_KEYWORD for each in valid.values())
    for name in names:
        if name not in valid and not takes_any:
            whole = [f"{option}.{each}" for each in valid]
            near = nearest(f"{option}.{name}", whole)
            raise ValueError(f"there is no {option}.{name}={near}")
