"""Reading values back from a device that is not there."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

STAND_INS: dict[str, Any] = {
    "__bool__": True,
    "__int__": 1,
    "__index__": 1,
    "__float__": 1.0,
    "item": 1.0,
}
"""What is read; what a copy to the host would be is not known, and refused."""
COPIES = ("cpu", "numpy", "tolist")


@contextmanager
def reading_back(device: str) -> Iterator[list[str]]:
    """Let values of a device be read as 1, and list who reads, as file:function.

    Each would make the host wait for a GPU.
    """
    readers: list[str] = []

    def reader(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def read(tensor: Tensor, *arguments: Any) -> Any:
            if tensor.device.type != device:
                return original(tensor, *arguments)
            code = sys._getframe(1).f_code
            readers.append(f"{Path(code.co_filename).name}:{code.co_name}")
            assert name in STAND_INS, f"{readers[-1]} copies to the host by {name}()"
            return STAND_INS[name]

        return read

    with pytest.MonkeyPatch.context() as patch:
        for name in (*STAND_INS, *COPIES):
            patch.setattr(torch.Tensor, name, reader(name, getattr(Tensor, name)))
        yield readers
