"""The published recipe as a script: in toy size, with the settings of the recipe."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image

from avalanche_pnr import LARS, PNR
from tests.benchmarks.classic import save_cifar100
from tests.examples.scripts import accuracies, run
from tests.experiments.test_recipes import composed

IMAGE = Image.fromarray(
    np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:warm-up shortened")
def test_the_recipe_is_trained_on_three_experiences(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_cifar100(tmp_path, monkeypatch)
    script = run(
        "pnr_cifar100",
        *("--data", str(tmp_path), "--device", "cpu", "--experiences", "3"),
        *("--epochs", "1", "--batch-size", "16"),
    )
    assert script.strategy.clock.train_exp_counter == 3
    assert script.strategy.past_model.exists
    figures = accuracies(capsys.readouterr().out)
    assert len(figures) == 3
    assert all(0 <= each <= 100 for each in figures)
    check_recipe(script)


def check_recipe(script: Any) -> None:
    """The settings are those of ``+recipe=cifar100/vicreg``."""
    recipe, strategy = composed("cifar100/vicreg"), script.strategy
    assert type(strategy) is PNR
    for name, expected in (
        ("experiences", recipe.stream.n_experiences),
        ("epochs", recipe.epochs),
        ("batch_size", recipe.batch_size),
    ):
        assert script.parser.get_default(name) == expected, name
    optimizer = strategy.optimizer
    assert type(optimizer) is LARS
    scale = script.options.batch_size / recipe.batch_size
    expected = {k: v for k, v in recipe.optimizer.items() if not k.startswith("_")}
    for name, value in {**expected, "lr": recipe.base_lr * scale}.items():
        assert optimizer.defaults[name] == value, name
    schedule, pnr = (
        next(each for each in strategy.plugins if type(each).__name__ == name)
        for name in ("WarmupCosinePlugin", "PNRPlugin")
    )
    assert schedule.warmup_epochs == recipe.schedule.warmup_epochs
    assert schedule.warmup_start_lr == recipe.schedule.warmup_start_lr
    assert pnr.predictor_hidden_dim == recipe.plugins.pnr[0].predictor_hidden_dim
    model, method = strategy.model, recipe.method
    assert model.weights == (method.invariance, method.variance, method.covariance)
    assert (model.lambda_distill, model.lambda_pnr) == (
        method.lambda_distill,
        method.lambda_pnr,
    )
    assert model.projection_dim == method.projection_dim
    assert model.projector.layers[0].out_features == method.hidden_dim
    assert str(model.backbone) == str(script.pnr.resnet18(small_images=True))
    assert recipe.backbone._target_ == "avalanche_pnr.resnet18"
    views = recipe.data.views
    assert script.options.seed == recipe.seed
    assert (script.mean, script.std) == (tuple(views.mean), tuple(views["std"]))
    for seed in range(8):
        assert torch.equal(drawn(script.views, seed), drawn(instantiate(views), seed))


def drawn(views: Any, seed: int) -> torch.Tensor:
    """Two views of an image, as a seed draws them."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    image: torch.Tensor = views(IMAGE)
    return image
