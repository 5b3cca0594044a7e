"""The contributions to Avalanche, and cures that end with the faults they are for."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.training.templates.base_sgd import BaseSGDTemplate
from torch.utils.data import TensorDataset, default_collate

from avalanche_pnr.training.avalanche_workarounds import bind_submodules
from tests.conftest import VIEWS, Strategy

ROOT = Path(__file__).parents[2]
CONTRIBUTIONS = ROOT / "docs" / "upstream"


def check(*folders: Path) -> tuple[int, list[str]]:
    """Exit status and rows of the table."""
    command = [sys.executable, str(CONTRIBUTIONS / "check.py"), *map(str, folders)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[2:]


@pytest.mark.slow
def test_every_contribution_fails_before_and_passes_after() -> None:
    status, rows = check()
    folders = sorted(path.name for path in CONTRIBUTIONS.glob("[0-9]*"))
    assert [row.split(" | ")[0] for row in rows] == [f"| {each}" for each in folders]
    assert all("fail" in row.split(" | ")[1] for row in rows), rows
    assert all(row.endswith(" | passes |") for row in rows), rows
    assert status == 0


def test_every_contribution_has_a_text_and_a_place_in_the_readme() -> None:
    readme = (CONTRIBUTIONS / "README.md").read_text()
    for folder in CONTRIBUTIONS.glob("[0-9]*"):
        text = (folder / "pull_request.md").read_text()
        for section in ("Problem", "Cause", "Change", "Risk"):
            assert f"## {section}\n" in text, folder.name
        assert f"({folder.name}/pull_request.md)" in readme


@pytest.mark.parametrize(
    ("change", "assertion", "status"),
    [
        ("import math; math.changed = True", "hasattr(math, 'changed')", 0),
        ("import math; math.changed = True", "math.pi > 3", 1),  # passes before
        ("", "hasattr(math, 'changed')", 1),  # fails after
    ],
)
def test_the_check_finds_out(
    tmp_path: Path, change: str, assertion: str, status: int
) -> None:
    (tmp_path / "change.py").write_text(change)
    (tmp_path / "test_math.py").write_text(
        "import math\nimport unittest\n\n"
        "class MathTest(unittest.TestCase):\n"
        f"    def test_it(self):\n        self.assertTrue({assertion})\n"
    )
    assert check(tmp_path)[0] == status


def collate_negated(samples: list[Any]) -> Any:
    return [-part for part in default_collate(samples)]


def collate_doubled(samples: list[Any]) -> Any:
    return [2 * part for part in default_collate(samples)]


def stream_with_a_collate_function() -> CLScenario:
    data = TensorDataset(VIEWS.abs() + 1, torch.zeros(len(VIEWS)))
    return benchmark_from_datasets(
        train=[AvalancheDataset([data], collate_fn=collate_negated)] * 3
    )


def loaded(make_strategy: Strategy, **kwargs: Any) -> list[bool]:
    """Whether the views of each batch were negated."""
    strategy = make_strategy(train_mb_size=6)
    negated = []
    strategy.checkpoint_callback = lambda it: negated.append(bool((it.mb_x < 0).all()))
    for experience in stream_with_a_collate_function().train_stream:
        strategy.train(experience, **kwargs)
    return negated


def test_the_loader_s_cure(make_strategy: Strategy) -> None:
    assert set(loaded(make_strategy)) == {True}


def test_the_loader_s_cure_ends_with_the_fault(
    make_strategy: Strategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_loader = BaseSGDTemplate.make_train_dataloader
    monkeypatch.setattr(BaseSGDTemplate, "make_train_dataloader", make_loader)
    runpy.run_path(str(CONTRIBUTIONS / "02-train-collate-fn" / "change.py"))
    assert BaseSGDTemplate.make_train_dataloader is not make_loader
    assert set(loaded(make_strategy)) == {True}
    assert set(loaded(make_strategy, collate_fn=collate_doubled)) == {False}


def test_the_checkpoint_s_cure_ends_with_the_fault() -> None:
    bind_submodules(torch.optim)  # as PyTorch or Avalanche would
    before = dict(vars(torch.optim))
    assert before["sgd"] is sys.modules["torch.optim.sgd"]
    bind_submodules(torch.optim)
    assert vars(torch.optim) == before
