"""``views=batched`` in the main job."""

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from avalanche_pnr.benchmarks import ArrayImages
from experiments.checks import check_views
from tests.experiments.small_runs import finished, prepared, save_images

BATCHED = ["views=batched", "stream.n_experiences=3"]


def test_a_run_with_views_of_whole_batches(tmp_path: Path) -> None:
    data = ["data=npz", f"data.path={save_images(tmp_path / 'images.npz')}"]
    out = tmp_path / "run"
    run = finished(out, *data, *BATCHED, "regularizers=[finetune,pnr]")
    assert run.config["views"] == "batched"
    assert [run.evaluations(name) for name in ("finetune", "pnr")] == [3, 3]


def test_files_are_read_into_memory_at_the_size_they_are_judged_at(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    for number in range(48):
        sides = (14, 9) if number % 2 else (9, 14)
        split = "train" if number < 36 else "test"
        path = tmp_path / "data" / split / f"class{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*sides, 3), np.uint8)).save(path)
    data = ["data=folders", f"data.path={tmp_path / 'data'}"]
    comparison = prepared(tmp_path / "run", *data, *BATCHED, "regularizers=[pnr]")
    assert isinstance(comparison.data.train, ArrayImages)
    assert comparison.data.train.x.shape == (36, 6, 6, 3)
    comparison.run()


def test_processes_that_do_not_reach_a_gpu_are_refused() -> None:
    data = {"views": {"_target_": "avalanche_pnr.make_ssl_transform"}}
    values = {"views": "batched", "device": "cuda", "workers": 2, "data": data}
    with pytest.raises(ValueError, match=r"workers=2 do not reach: set workers=0"):
        check_views(OmegaConf.create(values))
    for other in ({"workers": 0}, {"device": "cpu"}, {"views": "per_sample"}):
        check_views(OmegaConf.create({**values, **other}))
