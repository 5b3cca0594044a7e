"""What Avalanche's objects hold, as tensors and plain data, and back."""

import sys
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any, ClassVar, cast

import numpy as np
import torch
from avalanche.benchmarks.utils import AvalancheDataset
from torch import Tensor

from avalanche_pnr.training.stream_samples import StreamSamples

_KIND = "kind of value"
"""Key of a dictionary that stands for something else than a dictionary."""
_PACKAGES = ("avalanche.", "avalanche_pnr.")
"""Objects of these packages are taken apart."""
_PLAIN = (type(None), bool, int, float, str, torch.Size, torch.dtype, torch.device)


class Plain:
    """Turns values into tensors and plain data, and makes values of them again.

    Tensors, numbers, text and containers of them stay what they are. A data set of the
    stream's images becomes their indices; an object with ``state_dict`` and
    ``load_state_dict`` becomes its state; any other object of Avalanche becomes its
    attributes.

    Args:
        samples: Images of the stream, or ``None`` if it is not known.
        parts: Objects of the strategy that others refer to: they stay as they are.
        device: Where tensors go that were not on the CPU.
    """

    def __init__(
        self,
        samples: StreamSamples | None,
        parts: Iterable[Any],
        device: torch.device,
    ) -> None:
        self._samples = samples
        self._parts = {id(part) for part in parts}
        self._device = device

    def of(self, value: Any, name: str) -> Any:
        """Make plain data of a value.

        Args:
            value: The value.
            name: What it is called, for the error message.

        Raises:
            TypeError: If it is something that would not survive.
        """
        if isinstance(value, _PLAIN):
            return value
        if id(value) in self._parts:
            return {_KIND: "part"}
        if isinstance(value, Tensor):
            here = value.device.type == "cpu"
            return value.detach() if here else {_KIND: "device", "tensor": value}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray) and value.dtype != object:
            return {_KIND: "array", "tensor": torch.from_numpy(value)}
        if isinstance(value, dict):
            return {k: self.of(v, f"{name}[{k!r}]") for k, v in value.items()}
        if isinstance(value, list | tuple | set):
            items = [self.of(item, f"{name}[...]") for item in value]
            return items if isinstance(value, list) else type(value)(items)
        return self._of_object(value, name)

    def attributes(self, value: Any, name: str) -> dict[str, Any]:
        """Make plain data of an object's attributes; as :meth:`of`."""
        return {k: self.of(v, f"{name}.{k}") for k, v in vars(value).items()}

    def _of_object(self, value: Any, name: str) -> dict[str, Any]:
        cls = type(value)
        if isinstance(value, AvalancheDataset):
            if self._samples is None and len(value):
                raise TypeError(f"{name} holds images of a stream that is not known")
            none = torch.empty(0, 2, dtype=torch.long)
            samples = self._samples
            return {
                _KIND: "images",
                "indices": samples.indices(value, name) if samples else none,
            }
        if has_state(value):
            return {_KIND: "state", "state": value.state_dict()}
        function = getattr(value, "__name__", "")
        if function and getattr(torch, function, None) is value:
            return {_KIND: "function", "name": function}
        if cls.__module__.startswith(_PACKAGES) and hasattr(value, "__dict__"):
            names = {"module": cls.__module__, "class": cls.__qualname__}
            return {_KIND: "object", **names, "has": self.attributes(value, name)}
        raise TypeError(
            f"{name} is a {cls.__name__}, which cannot be saved as tensors and plain "
            "data: give its owner state_dict() and load_state_dict(state)"
        )

    def restored(self, plain: Any, now: Any = None) -> Any:
        """The value that plain data was made of.

        Args:
            plain: What :meth:`of` returned.
            now: What stands in its place at present.
        """
        if isinstance(plain, dict):
            if _KIND in plain:
                return self._restorers[plain[_KIND]](self, plain, now)
            return self._dictionary(plain, now)
        if isinstance(plain, list | tuple | set) and not isinstance(plain, torch.Size):
            nows = now if isinstance(now, list | tuple) else ()
            items = [self.restored(*pair) for pair in zip_longest(plain, nows)]
            items = items[: len(plain)]
            return items if isinstance(plain, list) else type(plain)(items)
        return plain.clone() if isinstance(plain, Tensor) else plain

    def _dictionary(self, plain: dict[Any, Any], now: Any) -> dict[Any, Any]:
        if not isinstance(now, dict):
            return {k: self.restored(v) for k, v in plain.items()}
        new = {k: self.restored(v, now.get(k)) for k, v in plain.items()}
        now.clear()  # not replaced: it may be one with defaults
        now.update(new)
        return now

    def set_attributes(self, value: Any, plain: dict[str, Any]) -> None:
        """Give an object the attributes that :meth:`attributes` took."""
        has = vars(value)
        has.update({k: self.restored(v, has.get(k)) for k, v in plain.items()})

    def _part(self, plain: dict[str, Any], now: Any) -> Any:
        return now

    def _tensor(self, plain: dict[str, Any], now: Any) -> Tensor:
        tensor: Tensor = plain["tensor"].to(self._device)
        return tensor

    def _array(self, plain: dict[str, Any], now: Any) -> Any:
        return plain["tensor"].numpy()

    def _images(self, plain: dict[str, Any], now: Any) -> AvalancheDataset[Any]:
        if self._samples is None:
            return now if len(plain["indices"]) else AvalancheDataset([])
        return self._samples.subset(plain["indices"])

    def _state(self, plain: dict[str, Any], now: Any) -> Any:
        if now is not None:  # else it is made when training begins, and loaded then
            now.load_state_dict(plain["state"])
        return now

    def _function(self, plain: dict[str, Any], now: Any) -> Any:
        return getattr(torch, plain["name"])

    def _object(self, plain: dict[str, Any], now: Any) -> Any:
        module, name = plain["module"], plain["class"]
        cls = getattr(sys.modules.get(module), name, None)
        known = module.startswith(_PACKAGES) and isinstance(cls, type)
        if not known or getattr(cls, "__module__", None) != module:
            raise ValueError(
                f"the state names {module}.{name}, which is no class of Avalanche's"
            )
        value = now if type(now) is cls else object.__new__(cast("type[Any]", cls))
        self.set_attributes(value, plain["has"])
        return value

    _restorers: ClassVar[dict[str, Callable[..., Any]]] = {
        "part": _part,
        "device": _tensor,
        "array": _array,
        "images": _images,
        "state": _state,
        "function": _function,
        "object": _object,
    }


def has_state(value: Any) -> bool:
    """Whether an object offers and takes its state itself."""
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")
