"""Checks of a state: each value must be of the kind expected in its place."""

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any

import torch
from torch import Tensor

PLAIN = (type(None), bool, int, float, str, torch.Size, torch.dtype, torch.device)
"""Types of values that are plain data, tensors apart."""
_MAPPINGS = (dict, OrderedDict, Counter)
_SEQUENCES = (list, tuple, set)
_DEEPEST = 40
"""Largest number of nested containers."""
_FREE_SIZE = 2**24
"""Bytes that a tensor may take beyond those in the file, which it repeats."""


def check_plain(value: Any, name: str) -> None:
    """Refuse everything but tensors and plain data, at any depth.

    Classes, functions, subclasses of containers and tensors with hooks or attributes
    are not plain data, even where ``torch.load(weights_only=True)`` lets them pass.

    Args:
        value: Value to check.
        name: Name of the value in error messages.

    Raises:
        ValueError: If it holds anything else, or more than 40 levels of containers.
    """
    seen: set[int] = set()
    left = [(value, name, 0)]
    while left:
        each, where, depth = left.pop()
        kind = type(each)
        if kind is Tensor:
            _check_stored(each, where)
        elif kind in _MAPPINGS or kind in _SEQUENCES:
            if depth == _DEEPEST:
                raise ValueError(f"{name} holds more than {_DEEPEST} levels of data")
            if id(each) not in seen:
                seen.add(id(each))
                left += [(*part, depth + 1) for part in _parts(each, where)]
        elif kind not in PLAIN:
            raise ValueError(
                f"{where} is a {kind.__name__}, which is neither a tensor nor plain "
                "data"
            )


def check_same_form(saved: Any, now: Any, name: str) -> None:
    """Refuse a value whose form differs from that of the value it replaces.

    Dictionaries must have the same keys, sequences the same length, tensors the same
    shape and dtype. Any number or ``None`` may replace a number; anything but a
    container may replace ``None``.

    Args:
        saved: Value in the state.
        now: Current value in its place.
        name: Name of the value in error messages.

    Raises:
        ValueError: If it does, with the place that differs.
    """
    if isinstance(now, dict):
        check_keys(saved, now, name)
        for key, value in now.items():
            check_same_form(saved[key], value, f"{name}[{key!r}]")
    elif isinstance(now, list | tuple) and not isinstance(now, torch.Size):
        check_type(saved, name, list, tuple)
        if len(saved) != len(now):
            raise ValueError(
                f"{name} has {len(saved)} entries in the state and {len(now)} here"
            )
        for row, (each, value) in enumerate(zip(saved, now, strict=True)):
            check_same_form(each, value, f"{name}[{row}]")
    elif isinstance(now, Tensor):
        check_tensor(saved, name, now.shape, now.dtype)
    else:
        check_scalar(saved, now, name)


def check_scalar(saved: Any, now: Any, name: str) -> None:
    """Refuse a value that cannot replace a number, a truth value or text.

    Text is a setting, which a state cannot change.

    Args:
        saved: Value in the state.
        now: Current value in its place.
        name: Name of the value in error messages.

    Raises:
        ValueError: If it is of another kind, another text, or a whole number below -1
            or beyond 64 bits.
    """
    if isinstance(now, str) or type(now) not in (type(None), bool, int, float):
        if type(saved) is not type(now) or saved != now:
            raise ValueError(
                f"{name} is {described(saved)} in the state and {now!r} here: make the "
                "strategy as it was made"
            )
    elif now is None:
        check_type(saved, name, type(None), bool, int, float)
    elif type(now) is bool:
        check_type(saved, name, type(None), bool)
    else:
        check_type(saved, name, type(None), int, float)
    if type(saved) is int:
        check_count(saved, name, least=-1)


def check_count(saved: Any, name: str, least: int = 0, most: int = 2**63 - 1) -> None:
    """Refuse a value that is not a whole number within bounds.

    Args:
        saved: Value in the state.
        name: Name of the value in error messages.
        least: The lowest number allowed.
        most: The highest number allowed.

    Raises:
        ValueError: If it is anything else.
    """
    if type(saved) is not int or not least <= saved <= most:
        bounds = f"{least} to {most}" if most < 2**62 else f"{least} or more"
        raise ValueError(
            f"{name} is {described(saved)} in the state, where a whole number, {bounds}"
            ", belongs"
        )


def check_tensor(
    saved: Any, name: str, shape: Iterable[int | None], *dtypes: torch.dtype
) -> None:
    """Refuse a value that is not a tensor of a given shape and dtype.

    Args:
        saved: Value in the state.
        name: Name of the value in error messages.
        shape: Expected sizes; ``None`` for any.
        *dtypes: Dtypes allowed; by default all floating-point ones.

    Raises:
        ValueError: If it is anything else.
    """
    sizes = tuple(shape)
    fits = (
        type(saved) is Tensor
        and saved.dim() == len(sizes)
        and all(b in (a, None) for a, b in zip(saved.shape, sizes, strict=True))
        and (saved.dtype in dtypes if dtypes else saved.is_floating_point())
    )
    if not fits:
        wanted = ", ".join("*" if size is None else str(size) for size in sizes)
        kinds = " or ".join(_name(each) for each in dtypes) or "floating-point numbers"
        raise ValueError(
            f"{name} is {described(saved)} in the state, where a tensor ({wanted}) of "
            f"{kinds} belongs"
        )


def check_keys(saved: Any, names: Iterable[Hashable], name: str) -> None:
    """Refuse a value that is not a dictionary with exactly these keys.

    Args:
        saved: Value in the state.
        names: The keys.
        name: Name of the value in error messages.

    Raises:
        ValueError: If it is not, with the keys that are missing or unknown.
    """
    check_type(saved, name, *_MAPPINGS)
    known = set(names)
    missing = [each for each in known if each not in saved]
    unknown = [each for each in saved if each not in known]
    faults = [
        f"{word} {', '.join(sorted(map(_short, keys))[:3])}"
        for word, keys in (("without", missing), ("with an unknown", unknown))
        if keys
    ]
    if faults:
        raise ValueError(f"{name} is {' and '.join(faults)} in the state")


def check_type(saved: Any, name: str, *types: type) -> None:
    """Refuse a value of none of these types, subclasses included.

    Args:
        saved: Value in the state.
        name: Name of the value in error messages.
        *types: Types allowed.

    Raises:
        ValueError: If it is of another type.
    """
    if type(saved) not in types:
        wanted = " or ".join(_KINDS.get(each, each.__name__) for each in types)
        raise ValueError(
            f"{name} is {described(saved)} in the state, where {wanted} belongs"
        )


def described(value: Any) -> str:
    """Describe a value in a few words, for an error message."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {_name(value.dtype)}"
    if type(value) in (bool, float):
        return repr(value)
    if type(value) in (int, str):
        return _short(value)
    return _KINDS.get(type(value), f"a {type(value).__name__}")


_KINDS: dict[type, str] = {
    type(None): "None",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "a dictionary",
    OrderedDict: "a dictionary",
    Counter: "a dictionary",
    list: "a list",
    tuple: "a tuple",
    set: "a set",
    Tensor: "a tensor",
}


def _short(value: Any) -> str:
    if type(value) is int and value.bit_length() > 64:  # str() has a limit of its own
        return f"a whole number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _parts(container: Any, name: str) -> list[tuple[Any, str]]:
    """Elements of a container with their names, keys included."""
    if type(container) in _SEQUENCES:
        return [(each, f"{name}[...]") for each in container]
    keys = [(key, f"a key of {name}") for key in container]
    return keys + [(v, f"{name}[{_short(k)}]") for k, v in container.items()]


def _check_stored(tensor: Tensor, name: str) -> None:
    """Refuse tensors that are not plain arrays of numbers."""
    simple = (
        tensor.layout is torch.strided
        and tensor.device.type != "meta"
        and not tensor.is_quantized
        and not tensor.requires_grad
        and not tensor._backward_hooks
        and not vars(tensor)
    )
    if not simple:
        raise ValueError(f"{name} is not a tensor of plain numbers")
    size = tensor.numel() * tensor.element_size()
    if size > tensor.untyped_storage().nbytes() + _FREE_SIZE:
        raise ValueError(f"{name} is a tensor of {size} bytes that are not in the file")
