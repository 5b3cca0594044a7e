"""Avalanche's save_checkpoint and maybe_load_checkpoint, across processes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import commands
from tests.training.checkpointed import COMBINATIONS, EXPERIENCES, go_on


@pytest.fixture(scope="module")
def continued(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the runs end with that another process continued."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in COMBINATIONS:
        go_on(name, 0, folder / f"{name}.checkpoint", 2)
    done = commands.run("tests.training.checkpointed", str(folder))
    assert done.returncode == 0, done.stderr
    return {name: torch.load(folder / f"{name}.pt") for name in COMBINATIONS}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_continued_run_equals_the_uninterrupted_one(
    name: str, continued: dict[str, Any], tmp_path: Path
) -> None:
    whole = go_on(name, 0, tmp_path / "whole.checkpoint", EXPERIENCES)
    assert_equal(whole, continued[name], name)


def assert_equal(one: Any, other: Any, where: str) -> None:
    assert type(one) is type(other), where
    if isinstance(one, Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, (each, counterpart) in enumerate(zip(one, other, strict=True)):
            name = each[0] if isinstance(each, tuple) else index
            assert_equal(each, counterpart, f"{where}/{name}")
    else:
        assert one == other, where
