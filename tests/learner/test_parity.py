"""Digits in five parts: as many calls in processes of their own, or one comparison."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import experiments.__main__  # noqa: F401  (registers the resolvers)
from avalanche_pnr import Learner, load_digits
from avalanche_pnr.benchmarks.streams.raw_images import raw_images
from experiments.builders import make_benchmark
from experiments.constants import BACKBONE
from experiments.overrides import CONF
from experiments.run import Comparison
from tests.learner.conftest import command

PARTS = 5
SEED = 3
COMMON = {
    "epochs": 2,
    "batch_size": 32,
    "predictor_hidden_dim": 16,
    "views": "batched",
    "base_lr": 0.05,
}
LAMBDAS = {"method.lambda_distill": 25.0, "method.lambda_pnr": 12.0}
"""By default the comparison has those for digits, the learner for photographs."""
LEARNER = {
    "method": "vicreg",
    "backbone": "resnet_small",
    "backbone.width": 16,
    "method.hidden_dim": 32,
    "method.projection_dim": 16,
    **LAMBDAS,
    "image_size": 8,
    "seed": SEED,
    "optimizer": "sgd",
    "augment": "digits",
    "device": "cpu",
}
TRAINING = ("optimizer", "augment", "device")
"""Options of the learner that a later call may change."""
COMPARISON = {
    "method": "vicreg",
    "backbone.width": 16,
    "method.hidden_dim": 32,
    "method.projection_dim": 16,
    **LAMBDAS,
    "seed": SEED,
    "stream.n_experiences": PARTS,
    "regularizers": "[finetune,pnr]",
    "references": "[]",
    # A learner warms up over a tenth of the epochs at most: here, over none.
    "schedule.warmup_epochs": 0,
    # It passes each view alone.
    "stack_views": False,
}


def configured(out: Path) -> DictConfig:
    overrides = command({**COMPARISON, **COMMON, "out": out})
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides)


def write_parts(folder: Path, config: DictConfig) -> list[Path]:
    """The images of each experience, in their order, as a file of an array."""
    files = []
    for k, experience in enumerate(make_benchmark(config, load_digits()).train_stream):
        images = raw_images(experience.dataset, "train")
        files.append(folder / f"part{k}.npz")
        np.savez(files[-1], x=np.stack([np.asarray(image) for image, *_ in images]))
    return files


@pytest.mark.slow
def test_experiences_in_processes_of_their_own_are_the_comparison_to_the_last_bit(
    tmp_path: Path,
) -> None:
    config = configured(tmp_path / "comparison")
    (tmp_path / "comparison").mkdir()
    Comparison(config, [], tmp_path / "comparison").run()
    parts = write_parts(tmp_path, config)
    finetuned = Learner(tmp_path / "finetune", **settings())
    for part in parts:
        finetuned.learn(part, **training(), regularizer="none")
        options = command({**LEARNER, **COMMON, "regularizer": "pnr"})
        learn = ["learn", f"data={part}", f"learner={tmp_path}/pnr", *options]
        subprocess.run([sys.executable, "-m", "avalanche_pnr", *learn], check=True)
    weights = f"experiences/{PARTS:03d}/backbone.safetensors"
    ends = set()
    for name in ("finetune", "pnr"):
        compared = tmp_path / "comparison" / BACKBONE.format(name=name)
        learned = (tmp_path / name / weights).read_bytes()
        assert learned == compared.read_bytes(), name
        ends.add(learned)
    assert len(ends) == 2


def settings() -> dict[str, Any]:
    return {k: v for k, v in LEARNER.items() if k not in TRAINING}


def training() -> dict[str, Any]:
    return {**COMMON, **{k: v for k, v in LEARNER.items() if k in TRAINING}}
