"""Runs of the main job in this process: a tiny network on a handful of images."""

from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import experiments.__main__  # noqa: F401  (registers the resolvers)
from experiments.overrides import CONF
from experiments.results import Run, read_run
from experiments.run import Comparison

TINY = [
    "epochs=1",
    "batch_size=8",
    "schedule.warmup_epochs=0",
    "data.image_size=6",
    "backbone=resnet_small_stride2",
    "backbone.width=16",
    "method.hidden_dim=16",
    "method.projection_dim=8",
    "predictor_hidden_dim=16",
    "references=[]",
    "probe=convex",
    "probes.knn.k=5",
    "representation_images=8",
    # They take longer than the network's step does.
    "++data.views.jitter_probability=0",
]


def save_images(path: Path, domains: int = 1, classes: int = 6) -> Path:
    """An ``.npz`` file of 96 training and 24 test images of 6 px, six classes."""
    rng, number = np.random.default_rng(0), np.arange(120)
    noise = rng.integers(0, 60, (120, 6, 6, 3))
    np.savez(
        path,
        x=(noise + 30 * (number % classes)[:, None, None, None]).astype(np.uint8),
        y=number % classes,
        split=(number >= 96).astype(np.uint8),
        domain=number // 6 % domains,
    )
    return path


def composed(*choices: str) -> DictConfig:
    """The configuration of a command with these arguments."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", [*TINY, *choices])


def prepared(out: Path, *choices: str) -> Comparison:
    """What a command with these arguments runs; its folder is made if need be."""
    out.mkdir(parents=True, exist_ok=True)
    config = composed(*choices, f"out={out}")
    return Comparison(config, list(choices), out)


def finished(out: Path, *choices: str) -> Run:
    """What a command with these arguments wrote."""
    prepared(out, *choices).run()
    return read_run(out)
