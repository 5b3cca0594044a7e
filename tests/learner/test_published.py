"""The learner's defaults on photographs are those of the paper's recipes."""

from typing import Any

import pytest

from avalanche_pnr import make_ssl_transform
from avalanche_pnr.learner.builders import (
    make_method,
    make_optimizer,
    make_schedule,
    make_views,
)
from avalanche_pnr.learner.options import Settings, Training
from avalanche_pnr.learner.published import METHODS
from tests.experiments.test_recipes import composed

SMALL, LARGE = ("cifar100", 32), ("imagenet100_class", 224)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("recipe", "size"), [SMALL, LARGE])
def test_rates_and_widths_are_published(method: str, recipe: str, size: int) -> None:
    config = composed(f"{recipe}/{method}")
    settings = Settings(method=method, backbone="resnet_small", image_size=size)
    training = Training()
    made = make_method(settings, {"backbone.width": 8}, lambda _: None)
    optimizer = make_optimizer(settings, training, made, config.batch_size)
    (group,) = optimizer.param_groups
    wanted = config.optimizer
    for name in ("lr", "momentum", "weight_decay", "eta", "clip"):
        assert group[name] == wanted[name], name
    assert group["exclude_bias_and_norm"] == wanted.exclude_bias_and_norm
    assert training.predictor_hidden_dim == config.predictor_hidden_dim
    schedule = make_schedule(training, optimizer, epochs=config.epochs)
    assert schedule.warmup_epochs == config.schedule.warmup_epochs
    assert schedule.warmup_start_lr == config.schedule.warmup_start_lr
    widths = [len(v) for k, v in made.state_dict().items() if k.endswith("weight")]
    assert config.method.hidden_dim in widths
    assert config.method.projection_dim in widths
    if "predictor_hidden_dim" in config.method:
        assert config.method.predictor_hidden_dim in widths


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("recipe", "size"), [SMALL, LARGE])
def test_views_are_published(
    method: str, recipe: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def made(size: int, **arguments: Any) -> Any:
        asked.update(arguments)
        return make_ssl_transform(size, **arguments)

    monkeypatch.setattr("avalanche_pnr.learner.builders.make_ssl_transform", made)
    make_views(Settings(method=method, image_size=size), Training())
    published = composed(f"{recipe}/{method}").data.views
    for name in ("min_scale", "blur", "solarize"):
        assert asked[name] == pytest.approx(published[name])
    # Everything else is left to the defaults of the transform.
    assert asked.keys() == {"mean", "std", "batched", "min_scale", "blur", "solarize"}
