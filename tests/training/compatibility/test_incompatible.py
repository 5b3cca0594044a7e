"""What cannot work is refused when the strategy is made, with a remedy."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import (
    AGEMPlugin,
    EarlyStoppingPlugin,
    GDumbPlugin,
    GEMPlugin,
    LRSchedulerPlugin,
    LwFPlugin,
    MASPlugin,
    MIRPlugin,
    ReplayPlugin,
    RWalkPlugin,
)
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

from avalanche_pnr import (
    CroMoMixupPlugin,
    DERPlugin,
    LessForgetPlugin,
    LUMPPlugin,
    OsirisPlugin,
    PFRPlugin,
    PNRPlugin,
    WarmupCosinePlugin,
)
from avalanche_pnr.training.compatibility.incompatible import INCOMPATIBLE
from tests.conftest import METHODS, tiny_moco


def warm_up(optimizer: Optimizer) -> LRScheduler:
    cosine = CosineAnnealingLR(optimizer, 4)
    return SequentialLR(optimizer, [LinearLR(optimizer), cosine], [2])


@pytest.mark.parametrize("kind", INCOMPATIBLE, ids=lambda kind: kind.__name__)
def test_plugins_of_classifiers(kind: type, make_strategy: Any) -> None:
    plugin = object.__new__(kind)
    with pytest.raises(TypeError, match=rf"^{kind.__name__} .*: ") as refused:
        make_strategy(plugins=[PNRPlugin(), plugin])
    assert str(refused.value) == f"{kind.__name__} {INCOMPATIBLE[kind]}"


def test_their_subclasses_and_plugins_added_later(
    benchmark_of_digits: Any, make_strategy: Any
) -> None:
    class MyLwF(LwFPlugin):
        pass

    strategy = make_strategy(plugins=[PNRPlugin()])
    before = copy.deepcopy(strategy.model.state_dict())
    strategy.plugins.append(MyLwF())
    with pytest.raises(TypeError, match="MyLwF distils class scores: distil embed"):
        strategy.train(benchmark_of_digits.train_stream[0])
    assert strategy.clock.train_iterations == 0
    after = strategy.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_plugin_without_parentheses(make_strategy: Any) -> None:
    with pytest.raises(TypeError, match=r"^PNRPlugin is a class: write PNRPlugin\(\)$"):
        make_strategy(plugins=[WarmupCosinePlugin(), PNRPlugin])


TOGETHER: dict[str, tuple[Callable[[Optimizer], list[Any]], str]] = {
    "two that make the loader": (
        lambda _: [ReplayPlugin(), ReplayPlugin()],
        "ReplayPlugin and ReplayPlugin: both put a memory into the .*mem_size",
    ),
    "two memories that are trained on": (
        lambda _: [ReplayPlugin(), GDumbPlugin()],
        "ReplayPlugin and GDumbPlugin: both put a memory into the training loader",
    ),
    "one regulariser twice": (
        lambda _: [PNRPlugin(), PNRPlugin()],
        "PNRPlugin and PNRPlugin: both add the same term.*use one",
    ),
    "one memory of projections twice": (
        lambda _: [DERPlugin(), DERPlugin()],
        "DERPlugin and DERPlugin: both add the same term.*use one",
    ),
    "one temporal projection twice": (
        lambda _: [PFRPlugin(), PFRPlugin(lambda_pfr=0.5)],
        "PFRPlugin and PFRPlugin: both add the same term.*use one",
    ),
    "one distance of features twice": (
        lambda _: [LessForgetPlugin(), LessForgetPlugin()],
        "LessForgetPlugin and LessForgetPlugin: both add the same term.*use one",
    ),
    "one comparison of mixtures twice": (
        lambda _: [CroMoMixupPlugin(), CroMoMixupPlugin()],
        "CroMoMixupPlugin and CroMoMixupPlugin: both add the same term.*use one",
    ),
    "one second projector twice": (
        lambda _: [OsirisPlugin(), OsirisPlugin()],
        "OsirisPlugin and OsirisPlugin: both add the same term.*use one",
    ),
    "mixtures of mixtures": (
        lambda _: [LUMPPlugin(), LUMPPlugin()],
        "LUMPPlugin and LUMPPlugin: both mix the batch.*larger mem_size",
    ),
    "two schedules": (
        lambda optimizer: [
            WarmupCosinePlugin(warmup_epochs=0),
            LRSchedulerPlugin(StepLR(optimizer, 1)),
        ],
        "WarmupCosinePlugin and LRSchedulerPlugin: both set the learning rate.*use one",
    ),
    "one image at a time": (
        lambda _: [AGEMPlugin(8, sample_size=1)],
        "AGEMPlugin computes a loss of sample_size=1 images.*raise it to 2",
    ),
    "one image remembered": (
        lambda _: [GEMPlugin(1, memory_strength=0.5)],
        "GEMPlugin computes a loss of patterns_per_experience=1 images",
    ),
    "one image retrieved": (
        lambda _: [MIRPlugin(batch_size_mem=1)],
        "MIRPlugin computes a loss of batch_size_mem=1 images",
    ),
    "a queue below a batch": (
        lambda _: [ReplayPlugin(batch_size_mem=40)],
        "ReplayPlugin adds 40 images to batches of 16: .*48 is shorter .* batch of 56",
    ),
    "early stopping without evaluations": (
        lambda _: [EarlyStoppingPlugin(1, "test_stream")],
        "EarlyStoppingPlugin waits for evaluations.*eval_every=1, peval_mode=.epoch",
    ),
    "another optimizer": (
        lambda _: [LRSchedulerPlugin(StepLR(SGD(tiny_moco().parameters(), 0.1), 1))],
        "LRSchedulerPlugin schedules another optimizer than the strategy's",
    ),
    "a warm-up that breaks": (
        lambda optimizer: [LRSchedulerPlugin(warm_up(optimizer))],
        "LRSchedulerPlugin rewinds SequentialLR .* use WarmupCosinePlugin",
    ),
}


@pytest.mark.parametrize(("make", "message"), TOGETHER.values(), ids=TOGETHER)
def test_what_lacks_what_it_needs(
    make: Callable[[Optimizer], list[Any]], message: str, make_strategy: Any
) -> None:
    model = tiny_moco()
    optimizer = SGD(model.parameters(), lr=0.1)
    plugins = make(optimizer)
    with pytest.raises(ValueError, match=message):
        make_strategy(model, optimizer=optimizer, train_epochs=4, plugins=plugins)


def test_gem_without_its_solver(
    make_strategy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = [GEMPlugin(8, memory_strength=0.5)]
    make_strategy(plugins=plugins)
    monkeypatch.setitem(sys.modules, "quadprog", None)
    with pytest.raises(ValueError, match=r"GEMPlugin solves .*: pip install quadprog"):
        make_strategy(plugins=plugins)
    make_strategy(plugins=[PNRPlugin()])


@pytest.mark.parametrize("method", METHODS)
def test_mas_where_the_output_has_one_length(method: str, make_strategy: Any) -> None:
    plugins = [MASPlugin(lambda_reg=1.0)]
    if method == "mocov3":
        with pytest.raises(ValueError, match=r"MASPlugin finds .* MoCoV3's has one"):
            make_strategy(METHODS[method](), plugins=plugins)
    else:
        make_strategy(METHODS[method](), plugins=plugins)


@pytest.mark.parametrize("method", METHODS)
def test_mir_where_images_have_no_loss_of_their_own(
    method: str, make_strategy: Any
) -> None:
    plugins = [MIRPlugin(batch_size_mem=8)]
    if method in ("barlow", "vicreg"):
        with pytest.raises(ValueError, match=r"MIRPlugin picks images by .*use Rep"):
            make_strategy(METHODS[method](), plugins=plugins)
    else:
        make_strategy(METHODS[method](), plugins=plugins)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda o: StepLR(o, 1), {}),
        (lambda o: CosineAnnealingLR(o, 4), {}),
        (
            lambda o: OneCycleLR(o, 0.1, total_steps=12),
            {"step_granularity": "iteration"},
        ),
        (warm_up, {"reset_lr": False, "reset_scheduler": False}),
    ],
)
def test_schedules_that_repeat_are_left_as_they_are(
    make: Callable[[Optimizer], LRScheduler], options: Any, make_strategy: Any
) -> None:
    model = tiny_moco()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = make(optimizer)
    plugins = [LRSchedulerPlugin(scheduler, **options)]
    before = copy.deepcopy(scheduler.state_dict()), optimizer.param_groups[0]["lr"]
    make_strategy(model, optimizer=optimizer, train_epochs=4, plugins=plugins)
    after = scheduler.state_dict(), optimizer.param_groups[0]["lr"]
    assert str(before) == str(after)


def test_nothing_is_refused_that_is_not_named(make_strategy: Any) -> None:
    plugins = [SupervisedPlugin(), RWalkPlugin(), ReplayPlugin(), PNRPlugin()]
    strategy = make_strategy(plugins=plugins)
    assert strategy.plugins[0] is plugins[0]  # one's own stay where they are
    assert strategy.plugins[1:4] == [plugins[3], plugins[1], plugins[2]]
