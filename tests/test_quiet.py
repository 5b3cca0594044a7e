"""Nothing phones home: no connection is opened that the user did not ask for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.small_runs import TINY, save_images

ROOT = Path(__file__).parents[1]


def without_network() -> list[str]:
    """What starts a command where no network is, if the system can do that."""
    alone = ["unshare", "--map-root-user", "--net"]
    try:
        works = subprocess.run([*alone, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return []
    return alone if works.returncode == 0 else []


def watched(log: Path, *commands: list[str]) -> list[str]:
    """What commands connect to and start, one line each."""
    done = subprocess.run(
        [
            *without_network(),
            *(sys.executable, "-m", "tests.watched", str(log), json.dumps(commands)),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.slow
def test_import_training_evaluation_and_report_open_no_connection(
    tmp_path: Path,
) -> None:
    images, out = save_images(tmp_path / "images.npz"), tmp_path / "run"
    run = [
        *("experiments", *TINY, "data=npz", f"data.path={images}", f"out={out}"),
        *("stream.n_experiences=3", "regularizers=[finetune,pnr]", "workers=1"),
    ]
    lines = watched(tmp_path / "log", run, ["experiments.report", str(out)])
    assert (out / "report.html").exists()
    # W&B's reports of errors would come from a program of its own.
    assert [line for line in lines if "connects" in line or "wandb" in line] == []


def test_a_connection_would_be_seen(tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.py"
    noisy.write_text(
        "import contextlib, urllib.request\n"
        "with contextlib.suppress(OSError):\n"
        "    urllib.request.urlopen('http://127.0.0.1:9')\n"
    )
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-m", "tests.watched", str(log), '[["noisy"]]'],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}"},
        check=False,
    )
    assert done.returncode == 0
    assert "connects ('127.0.0.1', 9)" in log.read_text().splitlines()
