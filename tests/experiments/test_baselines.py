"""Every regularizer of the main job, to the end of a stream and into its report."""

import numpy as np
import pytest

from experiments.results import Run
from tests.experiments.small_runs import composed, finished, save_images

pytestmark = pytest.mark.usefixtures("uncovered")

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
        losses = [
            each["value"] for each in run.of(name) if each.get("metric") == "Loss_Epoch"
        ]
        assert len(losses) == 2
        assert np.isfinite(losses).all()
        last[name] = losses[-1]
    assert len(set(last.values())) == len(last)
