"""The main job as a user runs it: real processes, real files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.results import read_run

ROOT = Path(__file__).parents[2]
RUN = ["epochs=1", "method.hidden_dim=16", "backbone.width=16", "stream.experiences=3"]


def experiments(*arguments: str, module: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"experiments{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "all"
    done = experiments("--multirun", *RUN, f"out={out}", "seed=0,1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("random backbone") == 2
    return out


def seeds(out: Path) -> list[Path]:
    return sorted(out.iterdir())


def test_each_job_of_a_multirun_has_its_own_folder(runs: Path) -> None:
    folders = seeds(runs)
    assert [re.findall(r"seed=\d", folder.name) for folder in folders] == [
        ["seed=0"],
        ["seed=1"],
    ]
    for folder in folders:
        assert {file.name for file in folder.iterdir()} == {
            "accuracy_matrices.png",
            "config.yaml",
            "curves.png",
            "report.html",
            "results.jsonl",
        }


def test_every_regularizer_has_a_full_accuracy_matrix(runs: Path) -> None:
    lines = (seeds(runs)[0] / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert records[0]["run"] == "environment"
    for name in ("finetune", "cassle", "pnr"):
        for metric in ("Linear_Acc_Exp", "Knn_Acc_Exp"):
            cells = {
                (record["after"], record["experience"])
                for record in records
                if record["run"] == name and record.get("metric") == metric
            }
            assert cells == {(t, k) for t in (1, 2, 3) for k in range(3)}


def test_the_first_experience_is_shared_and_the_rest_is_not(runs: Path) -> None:
    lines = (seeds(runs)[0] / "results.jsonl").read_text().splitlines()
    rows: dict[tuple[str, int], list[float]] = {}
    losses: dict[str, list[float]] = {}
    for record in map(json.loads, lines):
        if record.get("metric") == "Linear_Acc_Exp":
            rows.setdefault((record["run"], record["after"]), []).append(
                record["value"]
            )
        if record.get("metric") == "Loss_Epoch":
            losses.setdefault(record["run"], []).append(record["value"])
    assert rows["finetune", 1] == rows["cassle", 1] == rows["pnr", 1]
    assert len(losses["first experience"]) == 1
    assert len({tuple(losses[name]) for name in ("finetune", "cassle", "pnr")}) == 3


def test_report_is_one_page_with_table_and_pictures(runs: Path) -> None:
    page = (seeds(runs)[0] / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page
    for row in ("raw pixels", "random backbone", "finetune", "cassle", "pnr"):
        assert f"<td>{row}</td>" in page
    for picture in ("accuracy_matrices.png", "curves.png"):
        data = (seeds(runs)[0] / picture).read_bytes()
        assert data.startswith(b"\x89PNG")


def test_report_over_seeds_has_deviations(runs: Path, tmp_path: Path) -> None:
    done = experiments(str(runs), "--out", str(tmp_path), module=".report")
    assert done.returncode == 0, done.stderr
    assert re.search(r"pnr +\d+\.\d ± \d+\.\d", done.stdout)
    assert "seeds 0, 1" in done.stdout
    assert (tmp_path / "report.html").is_file()


def test_a_folder_that_is_not_empty_is_refused_untouched(runs: Path) -> None:
    folder = seeds(runs)[0]
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    done = experiments(*RUN, f'out="{folder}"')
    assert done.returncode != 0
    assert "is not an empty folder: choose another out=" in done.stderr
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_an_npz_file_runs_with_simclr(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    path, out = tmp_path / "images.npz", tmp_path / "out"
    np.savez(
        path,
        x=generator.integers(0, 256, (420, 16, 16, 3), dtype=np.uint8),
        y=np.arange(420) % 3,
        split=(np.arange(420) % 7 == 0).astype(np.uint8),
    )
    done = experiments(
        *RUN,
        "data=npz",
        f"data.path={path}",
        "data.image_size=16",
        "method=simclr",
        "batch_size=32",
        "regularizers=[pnr]",
        f"out={out}",
    )
    assert done.returncode == 0, done.stderr
    assert "SimCLR on npz, 3 experiences" in done.stdout
    assert not (ROOT / "outputs").exists()


def test_a_run_that_was_cut_off_is_named(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(seeds(runs)[0], folder)
    results = folder / "results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    last_run = next(i for i, line in enumerate(lines) if '"run": "pnr"' in line)
    results.write_text("".join(lines[: last_run + 5]))
    with pytest.raises(ValueError, match="cut is incomplete: it stops at 'pnr'"):
        read_run(folder)
