"""The scripts of ``examples/``, as modules and as programs."""

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> Any:
    """What a script defines."""
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"{name}.py")))


def run(name: str, *arguments: str) -> Any:
    """Run a script in this process, which has imported Avalanche already.

    Returns:
        Its variables at the end.
    """
    path = str(EXAMPLES / f"{name}.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [path, *arguments])
        return SimpleNamespace(**runpy.run_path(path, run_name="__main__"))


def accuracies(printed: str) -> list[float]:
    """Percentages of the lines that tell the probe's accuracy."""
    found = re.findall(r"^linear probe.*: ([\d.]+) %$", printed, re.MULTILINE)
    return [float(each) for each in found]
