"""The three kinds of streams on real images, as a user runs them."""

from pathlib import Path

import numpy as np
import pytest

from experiments.results import read_run
from tests import commands

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
NEEDED = ("cifar100_mini.npz", "digits3_mini32.npz", "pacs_mini64.npz")
SMALL = [
    "epochs=1",
    "schedule.warmup_epochs=0",
    "base_lr=0.01",  # without a warm-up
    "backbone.width=16",
    "method.hidden_dim=64",
    "predictor_hidden_dim=64",
    "probes.main.epochs=10",
    "representation_images=50",
    "regularizers=[pnr]",
    "references=[]",
]
REPORT = {"report.html", "table.csv", "table.tex", "curves.png", "features.png"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all((DATA / name).is_file() for name in NEEDED),
        reason=f"needs {', '.join(NEEDED)}",
    ),
]


@pytest.mark.parametrize(
    ("file", "choices", "shape", "chance"),
    [
        (NEEDED[0], ["stream=class", "stream.n_experiences=3"], (3, 3), 1 / 100),
        (NEEDED[0], ["stream=data", "stream.n_experiences=3"], (3, 1), 1 / 100),
        (NEEDED[1], ["stream=domain"], (3, 3), 1 / 10),
        (NEEDED[2], ["stream=domain", "data.image_size=64", "epochs=3"], (4, 4), 1 / 7),
    ],
    ids=["class", "data", "domain_digits", "domain_pacs"],
)
def test_streams_of_real_images_run_to_their_report(
    file: str, choices: list[str], shape: tuple[int, int], chance: float, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    source = ["data=npz", f"data.path={DATA / file}", f"out={out}"]
    done = commands.run("experiments", *SMALL, *choices, *source)
    assert done.returncode == 0, done.stderr
    run = read_run(out)
    for metric in ("Linear_Acc_Exp", "Knn_Acc_Exp", "Ncm_Acc_Exp"):
        assert run.matrix("pnr", metric).shape == shape
        assert run.holds("pnr", metric)
    final = run.matrix("pnr", "Linear_Acc_Exp")[-1]
    assert np.mean(final) > 1.5 * chance
    assert {each.name for each in out.iterdir()} >= REPORT
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("pnr  "))
    assert row.endswith("not defined") == (shape[1] == 1)
