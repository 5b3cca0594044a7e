"""States that are nearly valid: of other types, names, nesting and sizes."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

Path = tuple[Any, ...]
"""Keys and rows from the whole to a part."""

_FORGED = {"kind of value": "function", "name": "_import_dotted_name"}


def mutated(state: Any, rng: random.Random) -> Any:
    """A copy of a state, changed in one to three places; tensors are shared."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        paths = [path for path in _paths(state) if path]
        state = _replaced(state, rng.choice(paths), rng.choice(_CHANGES), rng)
    return state


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a state; of long lists of numbers the first few alone."""
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _paths(part, (*path, key))
    elif isinstance(value, list | tuple):
        for row, part in enumerate(value[:5]):
            yield from _paths(part, (*path, row))


def _replaced(value: Any, path: Path, change: "Change", rng: random.Random) -> Any:
    """The same with another value in one place, or without one."""
    first, *rest = path
    if rest:
        part = _replaced(value[first], tuple(rest), change, rng)
        return _with(value, first, part)
    return change(value, first, rng)


def _with(container: Any, key: Any, part: Any) -> Any:
    """A copy of a container with another part."""
    if isinstance(container, dict):
        return {**container, key: part}
    return type(container)([*container[:key], part, *container[key + 1 :]])


Change = Callable[[Any, Any, random.Random], Any]
"""Changes a container in one place."""


def _other_value(container: Any, key: Any, rng: random.Random) -> Any:
    return _with(container, key, rng.choice(_VALUES)())


def _other_tensor(container: Any, key: Any, rng: random.Random) -> Any:
    old = container[key]
    if isinstance(old, Tensor):
        new = rng.choice(_TENSORS)(old)
    elif type(old) in (int, float, bool):
        number = float(max(min(old, 10**300), -(10**300)))
        new = rng.choice([old + 1, -old, old * 10**6, number, bool(old), [old]])
    else:
        new = [old]
    return _with(container, key, new)


def _dropped(container: Any, key: Any, rng: random.Random) -> Any:
    if isinstance(container, dict):
        return {k: part for k, part in container.items() if k != key}
    return type(container)([*container[:key], *container[key + 1 :]])


def _added(container: Any, key: Any, rng: random.Random) -> Any:
    value = rng.choice([container[key], *(make() for make in _VALUES)])
    if isinstance(container, dict):
        return {**container, rng.choice(_NAMES): value}
    return type(container)([*container, value])


def _renamed(container: Any, key: Any, rng: random.Random) -> Any:
    if not isinstance(container, dict):
        return type(container)(reversed(container))
    name = rng.choice(_NAMES)
    return {name if k == key else k: part for k, part in container.items()}


_CHANGES: list[Change] = [
    *(_other_value, _other_tensor, _other_tensor),
    *(_dropped, _added, _renamed),
]

_NAMES: list[Any] = [
    *("__class__", "__dict__", "before_training_iteration", "update", "train"),
    *("_scheduler", "reset", "x" * 100, "", 0, 7, -1, 2**80, None, (1, 2), 0.5),
]


def _deep() -> Any:
    value: Any = []
    for _ in range(60):
        value = [value]
    return value


_VALUES: list[Callable[[], Any]] = [
    *(lambda: None, lambda: True, lambda: -1, lambda: 0, lambda: 3, lambda: 2**70),
    *(lambda: 10**4000, lambda: 1e308, lambda: float("nan"), lambda: "text"),
    *(lambda: "os.system", lambda: [], lambda: {}, lambda: (), lambda: {1}),
    *(lambda: dict(_FORGED), lambda: {"__class__": "os"}, lambda: [1, 2, 3]),
    *(lambda: torch.float64, lambda: torch.Size([2]), lambda: torch.device("cpu")),
    *(lambda: torch.zeros(()), lambda: torch.zeros(3, 5), lambda: torch.zeros(0)),
    *(lambda: torch.ones(2, 2, dtype=torch.complex64), _deep),
    lambda: torch.zeros(1).expand(2**40),
    lambda: torch.zeros(2, 2).to_sparse(),
    lambda: torch.nn.Parameter(torch.zeros(2)),
]

_TENSORS: list[Callable[[Tensor], Tensor]] = [
    lambda old: old[None],
    lambda old: old.reshape(-1)[:1],
    lambda old: old.reshape(-1)[:0],
    lambda old: old.double(),
    lambda old: old.long(),
    lambda old: old.bool(),
    lambda old: old.to(torch.complex64),
    lambda old: -old if old.dtype is not torch.bool else old,
    lambda old: torch.full_like(old, 2) + old,
    lambda old: torch.cat([old, old]) if old.dim() else old[None],
    lambda old: old.expand(3, *old.shape),
]
