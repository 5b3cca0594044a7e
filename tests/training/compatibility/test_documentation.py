"""``docs/compatibility.md`` is true: its example runs, and no plugin is forgotten."""

import re
from pathlib import Path
from typing import Any

import avalanche.training.plugins
import pytest
import torch
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import LwFPlugin

from avalanche_pnr.training.compatibility.incompatible import INCOMPATIBLE
from tests.conftest import tiny_moco

PAGE = (Path(__file__).parents[3] / "docs" / "compatibility.md").read_text()


def test_the_example_runs(benchmark_of_digits: Any) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    model = tiny_moco(queue_length=64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    names: dict[str, Any] = {"model": model, "optimizer": optimizer}
    exec(example.replace("train_mb_size=32", "train_mb_size=8"), names)
    for experience in benchmark_of_digits.train_stream[:3]:
        names["strategy"].train(experience)


def test_every_plugin_is_named() -> None:
    own = {"SupervisedPlugin", "PPPloss"}
    plugins = {
        name
        for name, each in vars(avalanche.training.plugins).items()
        if isinstance(each, type) and issubclass(each, SupervisedPlugin)
    }
    names = plugins | {kind.__name__ for kind in INCOMPATIBLE}
    assert {name for name in names - own if f"`{name}`" not in PAGE} == set()


def test_the_message_is_what_is_said(make_strategy: Any) -> None:
    (message,) = re.findall(r"^TypeError: (.*)$", PAGE, flags=re.MULTILINE)
    with pytest.raises(TypeError, match=f"^{message}$"):
        make_strategy(plugins=[LwFPlugin()])
