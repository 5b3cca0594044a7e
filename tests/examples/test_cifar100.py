"""A supervised script of Avalanche's, and what it is after the change shown."""

import difflib
import re
from pathlib import Path

import pytest

from tests.benchmarks.classic import save_cifar100
from tests.examples.scripts import EXAMPLES, run

SCRIPTS = ("supervised", "replay_cifar100")
OPTIONS = ("--experiences", "3", "--epochs", "1", "--batch-size", "8")


def test_the_change_shown_is_that_of_the_scripts() -> None:
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text()
    (shown,) = re.findall(r"```diff\n(.*?)```", page, flags=re.DOTALL)
    names = [f"examples/{name}.py" for name in SCRIPTS]
    sources = [
        (EXAMPLES.parent / name).read_text().splitlines(keepends=True) for name in names
    ]
    assert shown == "".join(difflib.unified_diff(*sources, *names, n=1))


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_train_on_three_experiences_and_remember(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_cifar100(tmp_path, monkeypatch)
    strategy = run(name, str(tmp_path), *OPTIONS).strategy
    assert capsys.readouterr().out.count("Top1_Acc_Stream/eval_phase/test_stream") == 3
    assert strategy.clock.train_exp_counter == 3
    replay = next(each for each in strategy.plugins if hasattr(each, "storage_policy"))
    assert len(replay.storage_policy.buffer) == 48
