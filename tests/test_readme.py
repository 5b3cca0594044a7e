"""The README's example runs, and its commands are those of CI."""

import re
from pathlib import Path

import pytest

import avalanche_pnr
from tests.conftest import digits_of_each_class

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_examples_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = digits_of_each_class(72, 12)  # two batches of each experience
    monkeypatch.setattr(avalanche_pnr, "load_digits", lambda: digits)
    names: dict[str, object] = {}  # an example may go on where those before it stopped
    for source in EXAMPLES:
        exec(re.sub(r"train_epochs=\d+", "train_epochs=1", source), names)
        judged = "Top1_Acc_Stream" in capsys.readouterr().out
        assert judged == ("strategy.eval(" in source), source


def test_there_are_two_commands() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README, flags=re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("-m experiments")
    assert commands[1].endswith("-m pytest")
