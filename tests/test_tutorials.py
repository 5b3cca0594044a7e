"""The tutorials: their code runs, and what they printed and drew is kept."""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from tests.benchmarks.classic import save_cifar100

ROOT = Path(__file__).parents[1]
TUTORIALS = {path.stem: path for path in (ROOT / "docs/tutorials").glob("*.ipynb")}

LESS: dict[str, dict[str, str]] = {
    "1_forgetting": {r"range\(1\)": "range(2)"},
    # CIFAR-100 of six classes, 16 images an experience.
    "3_replay_and_ewc": {
        "n_experiences=20": "n_experiences=3",
        "train_mb_size=128": "train_mb_size=8",
    },
}
"""What is made smaller besides the number of epochs."""

PRINTED = {
    "1_forgetting": r"PNR minus finetune, seed by seed: [+-]\d+\.\d",
    "2_own_method": r"PNR +\d+\.\d % in the end",
    "3_replay_and_ewc": r"experience 2: \d+ images a step.*after experience 3 .*LwF",
    "4_learner": r"experience 3: .*experience 3 is undone.*experience 3: ",
    "5_judging": r"forward transfer +-?\d+\.\d",
}
"""What each prints, wherever it is run."""

QUICK = {"3_replay_and_ewc", "4_learner"}
"""What takes seconds when it is made smaller."""

tutorials = pytest.mark.parametrize("name", TUTORIALS)


def cells(name: str) -> list[dict[str, Any]]:
    """The cells of code."""
    notebook = json.loads(TUTORIALS[name].read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def smaller(name: str, source: str) -> str:
    """A cell with less training."""
    for pattern, less in {r"^epochs = \d+": "epochs = 2", **LESS.get(name, {})}.items():
        source = re.sub(pattern, less, source, flags=re.MULTILINE)
    return source


def test_there_are_five() -> None:
    assert TUTORIALS.keys() == PRINTED.keys()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in TUTORIALS
    ],
)
def test_the_code_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install, *rest = ["".join(cell["source"]) for cell in cells(name)]
    assert "%pip install -q avalanche-pnr" in install
    (tmp_path / "data").mkdir()
    save_cifar100(tmp_path / "data", monkeypatch)
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context({"backend": "Agg"}):
        exec(smaller(name, "\n".join(rest)), {})
        plt.close("all")
    assert re.search(PRINTED[name], capsys.readouterr().out, flags=re.DOTALL)


@tutorials
def test_results_are_kept(name: str) -> None:
    outputs = [each for cell in cells(name) for each in cell["outputs"]]
    printed = "".join("".join(each.get("text", "")) for each in outputs)
    assert re.search(PRINTED[name], printed, flags=re.DOTALL)
    assert {each["output_type"] for each in outputs} <= {
        *("stream", "display_data", "execute_result"),
    }
    pictures = [
        base64.b64decode(each["data"]["image/png"])
        for each in outputs
        if "image/png" in each.get("data", {})
    ]
    assert pictures
    assert all(len(picture) < 60_000 for picture in pictures)


@pytest.mark.skipif(
    "TUTORIALS_IN_KERNEL" not in os.environ, reason="takes minutes: see .ci/full"
)
@tutorials
def test_a_kernel_runs_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(TUTORIALS[name], as_version=4)
    if name == "3_replay_and_ewc":  # without the download
        for cell in notebook.cells:
            cell.source = smaller(name, cell.source)
        (tmp_path / "data").mkdir()
        small = (
            "import pathlib, pytest, tests.benchmarks.classic as classic\n"
            "classic.save_cifar100(pathlib.Path('data'), pytest.MonkeyPatch())"
        )
        notebook.cells.insert(0, nbformat.v4.new_code_cell(small))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    place = {"metadata": {"path": str(tmp_path)}}
    waits = {"timeout": 600, "startup_timeout": 600}
    NotebookClient(notebook, resources=place, **waits).execute()
