"""``precision=``, ``accumulate=`` and ``stack_views=`` in the main job."""

from pathlib import Path

import pytest
import torch
from torch import nn

from avalanche_pnr import Precision
from tests.experiments.small_runs import composed, finished, prepared, save_images

FORMATS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = save_images(tmp_path_factory.mktemp("data") / "images.npz")
    return ["data=npz", f"data.path={path}", "stream.n_experiences=3"]


@pytest.mark.parametrize("name", FORMATS)
def test_the_strategy_gets_its_precision(
    name: str, data: list[str], tmp_path: Path
) -> None:
    options = ["precision.tf32=false", "precision.compile=false"]
    comparison = prepared(
        tmp_path / "run",
        *data,
        f"precision={name}",
        *options,
        "accumulate=2",
        "stack_views=true",
    )
    strategy = comparison.first
    assert strategy.model.precision == Precision(FORMATS[name], channels_last=True)
    assert strategy.accumulation.batches == 2
    assert strategy.model.stack_views
    convolution = next(
        each for each in strategy.model.modules() if isinstance(each, nn.Conv2d)
    )
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_run_in_half_precision_with_steps_of_two_batches(
    data: list[str], tmp_path: Path
) -> None:
    options = ["precision=fp16", "accumulate=2", "stack_views=true"]
    run = finished(tmp_path / "run", *data, *options, "regularizers=[pnr]")
    assert run.evaluations("pnr") == 3


def test_the_learning_rate_follows_the_images_of_a_step() -> None:
    one, two = composed("accumulate=1"), composed("accumulate=2")
    assert two.optimizer.lr == 2 * one.optimizer.lr
