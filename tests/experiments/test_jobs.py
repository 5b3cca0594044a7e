"""Jobs of a sweep: one that fails does not stop the others, and is named."""

import html
import re
import shlex
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments import jobs
from experiments.__main__ import main
from experiments.results import read_run
from tests.experiments.small_runs import TINY, save_images

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_sweep_with_failed_jobs_fails_when_all_have_ended(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, data = tmp_path / "three", save_images(tmp_path / "images.npz")
    lr, chosen = "optimizer.lr=1e20,0.001,1e19", [*TINY, "stream.n_experiences=3"]
    arguments = [*chosen, "regularizers=[pnr]", "data=npz", f"data.path={data}", lr]
    monkeypatch.setattr(sys, "argv", ["-", "--multirun", *arguments, f"out={out}"])
    with pytest.raises(SystemExit) as exit_:
        main()
    names = "optimizer.lr=1e+20; optimizer.lr=1e+19"
    assert exit_.value.code == f"error: 2 of 3 jobs failed: {names}"
    assert capsys.readouterr().err.count("error: the ") == 2
    assert read_run(out / "optimizer.lr=0.001").experiences == 3


def test_the_command_that_is_reported_of_a_job_runs_it_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # a page holds no paths but relative ones
    out, data = Path("two"), save_images(Path("images.npz"))
    chosen = [*TINY, "stream.n_experiences=3", "data=npz", f"data.path={data}"]
    swept = ["regularizers=[pnr],[finetune]", f"out={out}"]
    monkeypatch.setattr(sys, "argv", ["-", "--multirun", *chosen, *swept])
    main()
    folder = out / "regularizers=[pnr]"
    results = (folder / "results.jsonl").read_bytes()
    page = html.unescape((folder / "report.html").read_text())
    (command,) = re.findall(r"<pre>(python .*)</pre>", page)
    monkeypatch.setattr(sys, "argv", shlex.split(command)[2:])
    capsys.readouterr()
    main()
    assert f"report: {folder / 'report.html'}" in capsys.readouterr().out
    assert (folder / "results.jsonl").read_bytes() == results
    assert len(list(out.iterdir())) == 2


def test_names_of_folders_are_ones_that_files_can_have_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "in_sweep", lambda: True)
    monkeypatch.setattr(jobs, "job_name", lambda: r'a=[{b: "c"}],d=e/f\g,h=<*?|>')
    folder = jobs.output_folder(OmegaConf.create({"out": "sweep"}))
    assert folder == Path("sweep") / "a=[{b_ _c_}],d=e_f_g,h=_____"
