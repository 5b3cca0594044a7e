"""Every regularizer of the main job, to the end of a stream and into its report."""

from pathlib import Path

import numpy as np
import pytest

from experiments.overrides import check_overrides
from experiments.results import Run
from tests.experiments.small_runs import composed, finished, save_images

pytestmark = pytest.mark.usefixtures("uncovered")

LOSS = "Loss_Epoch"
BASELINES = ("pfr", "less_forget", "er", "der", "lump", "cromo_mixup", "osiris", "ewc")


@pytest.fixture(scope="module", params=["simclr", "vicreg"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    folder = tmp_path_factory.mktemp("baselines")
    return finished(
        folder / request.param,
        "data=npz",
        f"data.path={save_images(folder / 'images.npz')}",
        f"method={request.param}",
        "stream.n_experiences=3",
        f"regularizers=[finetune,{','.join(BASELINES)}]",
        "mem_size=10",
    )


def test_the_baselines_are_regularizers() -> None:
    assert set(BASELINES) <= set(composed().plugins)


def test_each_is_trained_to_the_end_in_its_own_way(run: Run) -> None:
    last = {}
    for name in ("finetune", *BASELINES):
        matrix = run.matrix(name, "Knn_Acc_Exp")
        assert matrix.shape == (3, 3)
        losses = [each["value"] for each in run.of(name) if each.get("metric") == LOSS]
        assert len(losses) == 2
        assert np.isfinite(losses).all()
        last[name] = losses[-1]
    assert len(set(last.values())) == len(last)


def test_plugins_of_the_users_own_run_under_a_name_of_theirs(tmp_path: Path) -> None:
    path = save_images(tmp_path / "images.npz")
    own = (
        "+plugins.mine=[{_target_: avalanche_pnr.LessForgetPlugin,"
        " lambda_features: 2}, {_target_: avalanche_pnr.PNRPlugin,"
        " predictor_hidden_dim: 16}]"
    )
    choices = ["data=npz", f"data.path={path}", "stream.n_experiences=3", own]
    check_overrides([own])
    run = finished(tmp_path / "run", *choices, "regularizers=[pnr,mine]")
    losses = {
        name: [each["value"] for each in run.of(name) if each.get("metric") == LOSS]
        for name in ("pnr", "mine")
    }
    assert run.matrix("mine", "Knn_Acc_Exp").shape == (3, 3)
    assert len(losses["mine"]) == 2
    assert losses["mine"] != losses["pnr"]
