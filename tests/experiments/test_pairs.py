"""Each method with each regularizer, on a stream of three experiences."""

from pathlib import Path

import numpy as np
import pytest

from experiments.overrides import CONF
from tests.experiments.small_runs import finished, save_images

pytestmark = pytest.mark.usefixtures("uncovered")

METHODS = sorted(file.stem for file in (CONF / "method").glob("*.yaml"))
QUEUE = {"mocov2plus": ["method.queue_length=16"]}


def test_the_six_methods_are_there() -> None:
    there = ["barlow_twins", "byol", "mocov2plus", "mocov3", "simclr", "vicreg"]
    assert there == METHODS


@pytest.mark.parametrize("method", METHODS)
def test_losses_are_finite_and_the_accuracy_matrix_is_full(
    method: str, tmp_path: Path
) -> None:
    run = finished(
        tmp_path / "run",
        "data=npz",
        f"data.path={save_images(tmp_path / 'images.npz')}",
        "stream.n_experiences=3",
        f"method={method}",
        *QUEUE.get(method, ()),
        "probe=linear",
        "probes.main.epochs=1",
        "regularizers=[finetune,cassle,pnr]",
    )
    for name in ("finetune", "cassle", "pnr"):
        losses = [
            each["value"] for each in run.of(name) if each.get("metric") == "Loss_Epoch"
        ]
        assert len(losses) == 2
        assert np.isfinite(losses).all()
        for metric in ("Linear_Acc_Exp", "Knn_Acc_Exp"):
            matrix = run.matrix(name, metric)
            assert matrix.shape == (3, 3)
            assert np.isfinite(matrix).all()
