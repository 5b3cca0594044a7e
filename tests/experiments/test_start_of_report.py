"""What a report takes: no network's libraries, and a sentence where nothing fits."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.made_runs import write_run
from tests.started import answer

NETWORKS = {"torch", "avalanche", "torchvision", "lightly"}


def test_a_report_imports_no_networks(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", features=True)
    found = answer("experiments.report", str(folder))
    assert f"report: {folder / 'report.html'}" in found.text
    assert not NETWORKS & found.packages


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))


@pytest.mark.parametrize("module", ["experiments", "experiments.report"])
def test_an_address_space_too_small_to_start_gets_a_sentence(
    module: str, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-m", module, str(folder)],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "error: the address space is limited to 1.0 GB, which is too"
    )
