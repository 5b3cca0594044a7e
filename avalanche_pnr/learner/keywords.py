"""Keyword arguments of methods that are the fields of a dataclass."""

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from functools import wraps
from typing import ParamSpec, TypeVar

from avalanche_pnr.learner.names import group, has_no_option

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Keywords:
    """Lets ``**options`` of methods be the fields of a dataclass, and nothing else.

    Any other keyword is refused, with the method that takes it or the nearest name.

    Attributes:
        calls: Keywords of each method, by how it is called.

    Example:
        >>> takes = Keywords()
        >>> class Oven:
        ...     @takes(Baking)
        ...     def bake(self, cake, **options): ...
    """

    def __init__(self) -> None:
        self.calls: dict[str, Collection[str]] = {}

    def __call__(
        self, *kinds: type, groups: Sequence[str] = ()
    ) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
        """Decorate a method.

        Args:
            *kinds: Dataclasses whose fields its ``**options`` are.
            groups: Names of those that take arguments of their own, as
                ``backbone.width``.
        """

        def decorated(
            method: Callable[Parameters, Result],
        ) -> Callable[Parameters, Result]:
            call = _call(method)
            known = {
                *(each.name for kind in kinds for each in fields(kind)),
                *(each.name for each in _named(method)),
                *(group(f"{each}.") for each in groups),
            }
            self.calls[call] = sorted(known)

            @wraps(method)
            def checked(
                *arguments: Parameters.args, **options: Parameters.kwargs
            ) -> Result:
                for name in options:
                    if group(name) not in known:
                        raise TypeError(has_no_option(name, call, self.calls))
                return method(*arguments, **options)

            return checked

        return decorated


def _call(method: Callable[..., object]) -> str:
    """Write a method as it is called, a constructor by the name of its class."""
    owner, _, name = method.__qualname__.rpartition(".")
    return f"{owner if name == '__init__' else name}()"


def _named(method: Callable[..., object]) -> list[inspect.Parameter]:
    """List the parameters of a method that have names, but not ``self``."""
    _, *others = inspect.signature(method).parameters.values()
    return [each for each in others if each.kind is not each.VAR_KEYWORD]
