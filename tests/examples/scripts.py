"""The scripts of ``examples/``, as modules and as programs."""

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import avalanche_pnr
from tests.conftest import digits_of_each_class

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> Any:
    """What a script defines."""
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"{name}.py")))


def run(name: str, *arguments: str) -> Any:
    """Run a script in this process, on half of the digits if it is one on digits.

    Returns:
        Its variables at the end.
    """
    path = str(EXAMPLES / f"{name}.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [path, *arguments])
        digits = digits_of_each_class(72, 12)  # two batches of each experience
        patch.setattr(avalanche_pnr, "load_digits", lambda: digits)
        return SimpleNamespace(**runpy.run_path(path, run_name="__main__"))


def accuracies(printed: str) -> list[float]:
    """Percentages of the lines that tell the probe's accuracy."""
    found = re.findall(r"^linear probe.*: ([\d.]+) %$", printed, re.MULTILINE)
    return [float(each) for each in found]
