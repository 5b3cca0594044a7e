"""Each method with each regularizer, on five experiences of the digits."""

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

import experiments.__main__  # noqa: F401  (registers the resolvers)
from experiments.overrides import CONF
from experiments.results import read_run
from experiments.run import Comparison

SMALL = [
    "epochs=1",
    "batch_size=64",
    "backbone.width=16",
    "predictor_hidden_dim=16",
    "references=[random backbone]",
    "probes.main.epochs=5",
    "representation_images=20",
]
METHODS = sorted(file.stem for file in (CONF / "method").glob("*.yaml"))


def test_the_five_methods_are_there() -> None:
    assert METHODS == ["barlow_twins", "byol", "mocov2plus", "simclr", "vicreg"]


@pytest.mark.parametrize("method", METHODS)
def test_losses_are_finite_and_the_accuracy_matrix_is_full(
    method: str, tmp_path: Path
) -> None:
    choices = [*SMALL, f"method={method}", "method.hidden_dim=16"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [*choices, f"out={tmp_path}"])
    Comparison(config, choices, tmp_path).run()
    run = read_run(tmp_path)
    for name in ("finetune", "cassle", "pnr"):
        losses = [
            each["value"] for each in run.of(name) if each.get("metric") == "Loss_Epoch"
        ]
        assert len(losses) == 4
        assert np.isfinite(losses).all()
        for metric in ("Linear_Acc_Exp", "Knn_Acc_Exp"):
            matrix = run.matrix(name, metric)
            assert matrix.shape == (5, 5)
            assert np.isfinite(matrix).all()
