"""Every number of the published table, against the composed configuration."""

from functools import cache
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

import experiments.__main__  # noqa: F401  (registers the resolvers)
from avalanche_pnr import resnet_small
from experiments.overrides import CONF, check_overrides

pytestmark = pytest.mark.usefixtures("uncovered")

DATA = ("cifar100", "imagenet100_class", "imagenet100_data", "domainnet")
METHODS = ("mocov2plus", "simclr", "barlow_twins", "byol", "vicreg")
ALL = [(data, method) for data in DATA for method in METHODS]


@cache
def composed(recipe: str, *overrides: str) -> DictConfig:
    """The configuration of a recipe; not to be changed, since tests share it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", [f"+recipe={recipe}", *overrides])


def recipe(data: str, method: str) -> DictConfig:
    """The configuration of a published one, with what a user has to add."""
    lists = ["data.classes=y"] if data.startswith("imagenet") else []
    return composed(f"{data}/{method}", "data.path=x", *lists)


def published(table: str) -> dict[str, dict[str, str]]:
    """Rows of a table by their first word; columns by the words of the first line."""
    head, *lines = (line.split() for line in table.strip().splitlines())
    return {row: dict(zip(head, cells, strict=True)) for row, *cells in lines}


# fmt: off
BY_METHOD = published("""
                      mocov2plus simclr barlow_twins byol   vicreg
    lr_cifar          0.6        0.6    0.4          1.0    0.3
    lr_others         0.6        0.4    0.4          0.6    0.4
    weight_decay      1e-4       1e-4   1e-4         1e-5   1e-4
    hidden            2048       2048   2048         4096   2048
    output            128        128    2048         256    2048
    predictor_cifar   -          -      -            4096   -
    predictor_others  -          -      -            8192   -
    tau_start         0.99       -      -            0.99   -
    tau_end           0.999      -      -            1.0    -
    probe_lr          3.0        1.0    0.1          3.0    0.3
    lambda_distill    -          -      1            1      25
    least_crop        0.08       0.08   0.08         0.08   0.2
    solarize_1        0          0      0            0      0.1
    solarize_2        0.2        0.2    0.2          0.2    0.1
    blur_1_others     1.0        1.0    1.0          1.0    0.5
    blur_2_others     0.1        0.1    0.1          0.1    0.5
    excluded          0          1      1            1      1
""")
LAMBDA_PNR = published("""
                 cifar100 imagenet100_class imagenet100_data domainnet
    barlow_twins 1        1                 0.1              1
    byol         0.5      1                 0.1              1
    vicreg       23       23                5                8
""")
EPOCHS = {
    "cifar100": 500, "imagenet100_class": 400, "imagenet100_data": 400, "domainnet": 200
}
# fmt: on


def number(row: str, method: str) -> float:
    return float(BY_METHOD[row][method])


def given(row: str, method: str) -> bool:
    return BY_METHOD[row][method] != "-"


@pytest.mark.parametrize(("data", "method"), ALL)
def test_optimisation(data: str, method: str) -> None:
    config = recipe(data, method)
    size = "cifar" if data == "cifar100" else "others"
    assert config.optimizer["_target_"] == "avalanche_pnr.LARS"
    assert config.base_lr == number(f"lr_{size}", method)
    assert config.optimizer.lr == config.base_lr
    assert config.optimizer.weight_decay == number("weight_decay", method)
    assert config.optimizer.momentum == 0.9
    assert config.optimizer.eta == 0.02
    assert config.optimizer.clip is True
    assert config.optimizer.exclude_bias_and_norm == number("excluded", method)
    assert config.batch_size == 256
    assert config.epochs == EPOCHS[data]
    assert config.schedule.warmup_epochs == 10
    assert config.schedule.warmup_start_lr == 0.003


def test_learning_rate_grows_with_the_batch() -> None:
    config = composed("cifar100/mocov2plus", "batch_size=512")
    assert config.optimizer.lr == pytest.approx(1.2)


@pytest.mark.parametrize(("data", "method"), ALL)
def test_networks(data: str, method: str) -> None:
    config = recipe(data, method)
    size = "cifar" if data == "cifar100" else "others"
    assert config.backbone["_target_"] == "avalanche_pnr.resnet18"
    assert config.backbone.small_images is (data == "cifar100")
    assert config.method.hidden_dim == number("hidden", method)
    assert config.method.projection_dim == number("output", method)
    assert config.predictor_hidden_dim == 2048
    for plugin in (config.plugins.cassle[0], config.plugins.pnr[0]):
        assert plugin.predictor_hidden_dim == 2048
    if given("tau_start", method):
        assert config.method.momentum_start == number("tau_start", method)
        assert config.method.momentum_end == number("tau_end", method)
    if given(f"predictor_{size}", method):
        predictor = number(f"predictor_{size}", method)
        assert config.method.predictor_hidden_dim == predictor


@pytest.mark.parametrize(("data", "method"), ALL)
def test_losses(data: str, method: str) -> None:
    config = recipe(data, method).method
    if method in LAMBDA_PNR:
        assert config.lambda_pnr == float(LAMBDA_PNR[method][data])
        assert config.lambda_distill == number("lambda_distill", method)
    else:
        assert config.temperature == config.distillation_temperature == 0.2
        assert config.pseudo_negatives == "both"
    if method == "mocov2plus":
        assert config.queue_length == 65536
    if method == "barlow_twins":
        assert (config.scale, config.lambda_off_diagonal) == (0.1, 5e-3)
    if method == "vicreg":
        terms = config.invariance, config.variance, config.covariance
        assert terms == (25, 25, 1)


@pytest.mark.parametrize(("data", "method"), ALL)
def test_views(data: str, method: str) -> None:
    config = recipe(data, method).data
    large = data != "cifar100"
    blur = [number(f"blur_{view}_others", method) if large else 0 for view in (1, 2)]
    assert config.image_size == config.views.size == (224 if large else 32)
    assert config.views.min_scale == number("least_crop", method)
    assert config.views.blur == blur
    assert config.views.solarize == [number(f"solarize_{v}", method) for v in (1, 2)]
    assert config.views.jitter == [0.4, 0.4, 0.2, 0.1]
    assert config.views.jitter_probability == 0.8
    assert config.views.greyscale == 0.2
    assert config.views.blur_sigma == [0.1, 2.0]
    assert config.views.flip == 0.5
    mean = [0.485, 0.456, 0.406] if large else [0.4914, 0.4822, 0.4465]
    deviation = [0.228, 0.224, 0.225] if large else [0.247, 0.243, 0.261]
    for view in (config.views, config.eval_view):
        assert view.mean == mean
        assert view.std == deviation
    if large:
        assert (config.eval_view.resize, config.eval_view.crop) == (
            256,
            224,
        )


@pytest.mark.parametrize(("data", "method"), ALL)
def test_stream_and_probe(data: str, method: str) -> None:
    config = recipe(data, method)
    streams = {"imagenet100_data": "data", "domainnet": "domain"}
    name = f"avalanche_pnr.{streams.get(data, 'class')}_incremental"
    assert config.stream["_target_"] == name
    assert callable(get_object(name))
    assert callable(get_object(config.data.source["_target_"]))
    if data == "imagenet100_data":
        assert config.stream.seed == 42
    probe = config.probes.main
    if data == "cifar100":
        assert probe["_target_"] == "avalanche_pnr.LinearProbe"
    else:
        assert probe["_target_"] == "avalanche_pnr.PublishedProbe"
        assert probe.lr == number("probe_lr", method)
        assert (probe.epochs, probe.batch_size, probe.momentum) == (100, 256, 0)
        assert probe.milestones == [60, 80]


@pytest.mark.parametrize(("data", "method"), ALL)
def test_recipes_are_buildable(data: str, method: str) -> None:
    config = recipe(data, method)
    OmegaConf.resolve(config.copy())
    instantiate(config.data.views)
    instantiate(config.data.eval_view)
    instantiate(config.schedule)
    list(instantiate(config.probes).values())
    built = instantiate(config.method, resnet_small(16), image_shape=(3, 32, 32))
    assert type(built).__name__.lower() == method.replace("_", "")
    optimizer = instantiate(config.optimizer)(built.parameters())
    instantiate(config.schedule).check(optimizer)


def test_the_judge_of_a_recipe_may_be_another() -> None:
    check_overrides(["+recipe=domainnet/byol", "probe=convex"])
    probes = composed("domainnet/byol", "data.path=x", "probe=convex").probes
    assert next(iter(instantiate(probes).values())).name == "convex"


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (
            ["+recipe=cifar100/byol", "method=simclr"],
            "leave method= out, or choose",
        ),
        (["+recipe=cifar100/byol", "optimizer=sgd"], "is for optimizer=lars"),
        (["+recipe=cifar100/byol", "stream=data"], "is for stream=class"),
        (
            ["+recipe=cifar100/byol,cifar100/simclr", "method=byol"],
            "is for method=simclr, not for byol",
        ),
        (["+recipe=cifar100/byoll"], "did you mean cifar100/byol"),
        (["recipe=cifar100/byol"], r"write \+recipe=cifar100/byol"),
        (["+recipe=cifar100/byol", "method.queue_length=8"], "needs method=mocov2plus"),
        (
            ["+recipe=domainnet/byol", "stream.n_experiences=5"],
            "needs stream=class or data",
        ),
        (["published=cifar100"], "no setting 'published'"),
    ],
)
def test_what_contradicts_a_recipe_is_refused(
    overrides: list[str], answer: str
) -> None:
    with pytest.raises(ValueError, match=answer):
        check_overrides(overrides)


def test_what_does_not_contradict_a_recipe_passes() -> None:
    check_overrides(["+recipe=cifar100/byol", "method=byol", "epochs=3"])
    check_overrides(["+recipe=cifar100/mocov2plus", "method.queue_length=8"])


def options(config: DictConfig) -> Any:
    return OmegaConf.to_container(config, resolve=False)


def test_the_number_of_experiences_is_no_part_of_a_recipe() -> None:
    five = composed("cifar100/simclr", "stream.n_experiences=5")
    ten = composed("cifar100/simclr", "stream.n_experiences=10")
    assert five.stream.n_experiences == 5
    ten.stream.n_experiences = 5
    assert options(five) == options(ten)
