"""The main job as a user runs it: its commands, real files."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import report
from experiments.__main__ import main
from experiments.report import write_report
from experiments.results import read_run
from tests import commands
from tests.experiments.small_runs import TINY, save_images

QUICK_PROBE = ["probe=linear", "probes.main.epochs=5"]
REFERENCES = "references=[raw pixels,random backbone]"


def run_here(*arguments: str) -> None:
    """The same command in this process, which has imported the libraries already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["experiments", *arguments])
        main()


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ablation of the pseudo-negatives, two seeds of two values."""
    folder = tmp_path_factory.mktemp("sweep")
    data = ["data=npz", f"data.path={save_images(folder / 'images.npz')}"]
    stream = ["stream.n_experiences=3", "regularizers=[pnr]"]
    swept = ["method=simclr", "method.pseudo_negatives=both,neither", "seed=0,1"]
    out = folder / "all"
    with pytest.MonkeyPatch.context() as patch:
        # The pictures of each job alone are those of any run.
        patch.setattr(report, "pictures", lambda groups, rows: [])
        run_here("--multirun", *TINY, *data, *stream, *swept, f"out={out}")
    return out


@pytest.fixture(scope="module")
def choices(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The settings of ``runs``, but for the seed and the folder."""
    images = save_images(tmp_path_factory.mktemp("images") / "images.npz")
    data = ["data=npz", f"data.path={images}", "stream.n_experiences=3"]
    return [*TINY, *data, "method=simclr", *QUICK_PROBE, REFERENCES]


@pytest.fixture(scope="module")
def runs(choices: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over two seeds, with the regularizers of the default."""
    out = tmp_path_factory.mktemp("runs") / "all"
    done = commands.run("experiments", "--multirun", *choices, f"out={out}", "seed=0,1")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^random backbone +\d", done.stdout, re.M)) == 2
    return out


def seeds(out: Path) -> list[Path]:
    return sorted(out.iterdir())


def test_each_job_of_a_multirun_has_its_own_folder(runs: Path) -> None:
    folders = seeds(runs)
    assert [folder.name for folder in folders] == ["seed=0", "seed=1"]
    for folder in folders:
        assert {file.name for file in folder.iterdir()} >= {
            "accuracy_matrices.png",
            "config.yaml",
            "curves.png",
            "report.html",
            "results.jsonl",
            "table.csv",
            "table.tex",
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
    pictures = list(seeds(runs)[0].glob("*.png"))
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "http" not in page
    for row in ("raw pixels", "random backbone", "finetune", "cassle", "pnr"):
        assert f"<td>{row}</td>" in page
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_report_over_seeds_has_deviations(runs: Path, tmp_path: Path) -> None:
    done = commands.run("experiments.report", str(runs), "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert re.search(r"pnr +\d+\.\d ± \d+\.\d", done.stdout)
    assert "seeds 0, 1" in done.stdout
    assert (tmp_path / "report.html").is_file()


def test_report_over_a_sweep_compares_its_settings_in_one_picture(
    sweep: Path, tmp_path: Path
) -> None:
    text = write_report([sweep], tmp_path)
    for value in ("both", "neither"):
        row = rf"pseudo_negatives={value}: pnr +\d+\.\d ± \d+\.\d"
        assert re.search(row, text)
    assert "seeds 0, 1" in text
    files = {"report.html", "sweep.png", "table.csv", "table.tex"}
    assert {file.name for file in tmp_path.iterdir()} == files
    assert (tmp_path / "report.html").read_text().count("data:image/png;base64,") == 1


def test_the_settings_of_a_sweep_change_what_is_trained(sweep: Path) -> None:
    values = {
        folder.name: read_run(folder).matrix("pnr", "Knn_Acc_Exp").tolist()
        for folder in sweep.iterdir()
    }
    names = [f"method.pseudo_negatives={v},seed=0" for v in ("both", "neither")]
    both, neither = (values[name] for name in names)
    assert both[0] == neither[0]
    assert both[1:] != neither[1:]


def test_another_configuration_is_refused_and_the_run_untouched(
    runs: Path, choices: list[str]
) -> None:
    folder = seeds(runs)[0]
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    other = ["probes.main.epochs=6", "seeds=1", f'out="{folder}"']
    told = r"\(probes.main.epochs is 5 there and 6 here\): give the same"
    with pytest.raises(SystemExit, match=told):
        run_here(*choices, *other)
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_finished_run_prints_its_report_again(
    runs: Path, choices: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = seeds(runs)[0]
    before = (folder / "results.jsonl").read_bytes()
    run_here(*choices, f'out="{folder}"', "seeds=1", "workers=1")
    told = capsys.readouterr()
    assert re.search(r"^pnr +\d", told.out, re.M)
    assert "epoch" not in told.err  # nothing is trained
    assert before == (folder / "results.jsonl").read_bytes()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """168 images of 16 px: three classes, four domains."""
    path, number = tmp_path / "images.npz", np.arange(168)
    np.savez(
        path,
        x=np.random.default_rng(0).integers(0, 256, (168, 16, 16, 3), dtype=np.uint8),
        y=number % 3,
        split=(number % 7 == 0).astype(np.uint8),
        domain=number // 42,
    )
    return path


@pytest.mark.parametrize(
    ("stream", "trained", "tested"),
    [(["stream=domain"], 4, 4), (["stream=data", "stream.n_experiences=3"], 3, 1)],
)
def test_domain_and_data_streams_run_to_their_report(
    stream: list[str],
    trained: int,
    tested: int,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_here(
        *TINY,
        *stream,
        "data=npz",
        f"data.path={images}",
        "data.image_size=16",
        "method=byol",
        "optimizer=lars",
        "batch_size=32",
        "regularizers=[pnr]",
        "references=[raw pixels]",
        f"out={tmp_path / 'out'}",
    )
    told = capsys.readouterr().out
    assert f"BYOL on npz, {trained} experiences" in told
    run = read_run(tmp_path / "out")
    assert run.matrix("pnr", "Convex_Acc_Exp").shape == (trained, tested)
    forgetting = "not defined" if tested == 1 else r"\d"
    assert re.search(rf"pnr .*{forgetting}$", told, re.M)


def test_nothing_but_the_folder_of_the_run_is_written(
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run_here(
        *TINY,
        "data=npz",
        f"data.path={images}",
        "data.image_size=16",
        "method=simclr",
        "stream.n_experiences=3",
        "references=[raw pixels,random backbone]",
        "batch_size=32",
        "regularizers=[pnr]",
        "out=out",
    )
    assert "SimCLR on npz, 3 experiences" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {images.name, "out"}


def test_a_run_that_was_cut_off_is_named(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(seeds(runs)[0], folder)
    results = folder / "results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    last_run = next(i for i, line in enumerate(lines) if '"run": "pnr"' in line)
    results.write_text("".join(lines[: last_run + 5]))
    with pytest.raises(ValueError, match="cut is incomplete: it stops at 'pnr'"):
        read_run(folder)
