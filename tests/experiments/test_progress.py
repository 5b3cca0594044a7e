"""What a command says while it trains, where its output is a file."""

import re
import sys
from pathlib import Path

import pytest

from avalanche_pnr.runs import progress
from tests import commands
from tests.experiments.small_runs import TINY, save_images

pytestmark = pytest.mark.usefixtures("no_pictures", "uncovered")


@pytest.mark.skipif(sys.platform != "linux", reason="the command is forked from here")
@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        (["seed=0"], r"^(finetune|pnr) 3/3: epoch \d of 5, loss -?\d+\.\d+, 0 minutes"),
        (["seeds=2", "jobs=2"], r"^epoch 10 of 10, 0 minutes left"),
    ],
)
def test_a_file_gets_lines_and_no_bar(
    chosen: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    data = save_images(tmp_path / "images.npz")
    arguments = [*TINY, "stream.n_experiences=3", "data=npz", f"data.path={data}"]
    ended = commands.run(
        "experiments",
        *arguments,
        "regularizers=[finetune,pnr]",
        *chosen,
        f"out={tmp_path / 'run'}",
    )
    assert ended.returncode == 0, ended.stderr
    assert "\r" not in ended.stdout + ended.stderr
    assert re.search(line, ended.stdout, re.MULTILINE)
    assert "minutes left" not in ended.stderr
