"""Training works: the features of a short run beat those of the random backbone."""

from pathlib import Path

import numpy as np
import pytest

from experiments.results import KNN, LINEAR, read_run
from tests.experiments.test_main_job import experiments

IMAGES = Path(__file__).parents[3] / "shared" / "data" / "cifar100_mini.npz"


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES.is_file(), reason="needs CIFAR-100 images")
@pytest.mark.parametrize("method", ["mocov2plus", "simclr"])
def test_features_beat_the_random_backbone(method: str, tmp_path: Path) -> None:
    with np.load(IMAGES) as arrays:
        chosen = arrays["y"] < 10
        path = tmp_path / "ten_classes.npz"
        np.savez(path, **{name: arrays[name][chosen] for name in ("x", "y", "split")})
    done = experiments(
        "data=npz",
        f"data.path={path}",
        f"method={method}",
        "regularizers=[pnr]",
        "stream.experiences=3",
        "epochs=12",
        "batch_size=32",
        f"out={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    run = read_run(tmp_path / "out")
    for metric in (LINEAR, KNN):
        random = run.matrix("random backbone", metric).mean()
        assert run.matrix("pnr", metric)[-1].mean() > random + 0.03
