"""Settings are chosen by images held out of training, never by test images."""

from pathlib import Path

import numpy as np
import pytest

from experiments.report import write_report
from experiments.results import Run
from tests.experiments.small_runs import finished, save_images

RUN = ["stream.n_experiences=3", "regularizers=[finetune]", "data=npz"]
METRIC = "Convex_Acc_Exp"


def of_other_test_images(path: Path) -> Path:
    """The same file with test images that are noise."""
    with np.load(path) as arrays:
        content = dict(arrays)
    tested = content["split"] == 1
    noise = np.random.default_rng(1).integers(0, 255, content["x"][tested].shape)
    content["x"][tested] = noise
    other = path.with_name("other.npz")
    np.savez(other, **content)
    return other


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    path = save_images(tmp_path / "images.npz")
    return path, of_other_test_images(path)


def matrix(run: Run) -> list[list[float]]:
    found: list[list[float]] = run.matrix("finetune", METRIC).tolist()
    return found


def test_with_validation_test_images_change_nothing(
    images: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same, other = (
        finished(tmp_path / path.stem, *RUN, "validation=0.25", f"data.path={path}")
        for path in images
    )
    assert matrix(same) == matrix(other)
    said = capsys.readouterr().out
    assert "finetune: after experience 3, validation data: convex" in said
    assert "test data" not in said


def test_without_it_they_are_what_is_judged_on(
    images: tuple[Path, Path], tmp_path: Path
) -> None:
    same, other = (
        finished(tmp_path / path.stem, *RUN, f"data.path={path}") for path in images
    )
    assert matrix(same) != matrix(other)


def test_the_report_says_what_was_judged_on(
    images: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    finished(out, *RUN, "validation=0.25", f"data.path={images[0]}")
    text = write_report([out], out)
    title, warning = "judged on validation images", "held out of training (validation="
    for each in (text, (out / "report.html").read_text()):
        assert title in each
        assert warning in each
