"""Requirements of plugins on the strategy, checked when it is made.

A requirement is a function of a plugin and a strategy that returns what is missing,
or ``None``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from avalanche.training.plugins import (
    AGEMPlugin,
    EarlyStoppingPlugin,
    GEMPlugin,
    LRSchedulerPlugin,
    MASPlugin,
    MIRPlugin,
    ReplayPlugin,
)
from avalanche.training.templates.base_sgd import PeriodicEval

from avalanche_pnr.training.compatibility.schedules import repeats

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised

SOLVER = "quadprog"
"""What Avalanche's GEM calls."""

Requirement = Callable[[Any, "SelfSupervised"], str | None]


def _two_images(option: str) -> Requirement:
    def require(plugin: Any, _strategy: SelfSupervised) -> str | None:
        if getattr(plugin, option) >= 2:
            return None
        return (
            f"computes a loss of {option}={getattr(plugin, option)} images, and "
            "self-supervised losses compare images: raise it to 2 or more"
        )

    return require


def _losses_of_images(_plugin: Any, strategy: SelfSupervised) -> str | None:
    if strategy.model.loss_is_mean_over_images:
        return None
    return (
        "picks images by their own losses, and "
        f"{type(strategy.model).__name__}'s loss compares statistics of a batch: use "
        "ReplayPlugin, or a method whose loss is a mean over images, BYOL for example"
    )


def _output_with_length(_plugin: Any, strategy: SelfSupervised) -> str | None:
    if strategy.model.output_length_varies:
        return None
    return (
        "finds important what changes the length of the output, and "
        f"{type(strategy.model).__name__}'s has one length, as BatchNorm makes it: use "
        "EWCPlugin, or another method"
    )


def _room_for_replay(plugin: Any, strategy: SelfSupervised) -> str | None:
    new = plugin.batch_size or strategy.train_mb_size
    remembered = plugin.batch_size_mem or strategy.train_mb_size
    images = (new + remembered) * strategy.accumulation.batches
    try:
        strategy.model.check_batch_size(images)
    except ValueError as error:
        return f"adds {remembered} images to batches of {new}: {error}"
    return None


def _evaluations(plugin: Any, strategy: SelfSupervised) -> str | None:
    periodic = [each for each in strategy.plugins if isinstance(each, PeriodicEval)]
    modes = [each.peval_mode for each in periodic if each.eval_every > 0]
    if plugin.peval_mode in modes:
        return None
    return (
        "waits for evaluations inside training, of which there are none every "
        f'{plugin.peval_mode}: make the strategy with eval_every=1, peval_mode="'
        f'{plugin.peval_mode}"'
    )


def _solver(_plugin: Any, _strategy: SelfSupervised) -> str | None:
    if find_spec(SOLVER) is not None:
        return None
    return f"solves a quadratic program with {SOLVER}: pip install {SOLVER}"


def _own_optimizer(plugin: Any, strategy: SelfSupervised) -> str | None:
    if plugin.scheduler.optimizer is strategy.optimizer:
        return None
    return "schedules another optimizer than the strategy's: make it with that one"


def _repeatable_schedule(plugin: Any, strategy: SelfSupervised) -> str | None:
    begun = plugin.scheduler.last_epoch > 0
    rewinds = plugin.reset_scheduler and plugin.reset_lr and plugin.metric is None
    if begun or not rewinds or repeats(plugin, strategy.train_epochs):
        return None
    return (
        f"rewinds {type(plugin.scheduler).__name__} by its epoch alone, so that from "
        "the second experience on the rates are others (every warm-up breaks): use "
        "WarmupCosinePlugin, or reset_lr=False, reset_scheduler=False"
    )


REQUIREMENTS: dict[type, tuple[Requirement, ...]] = {
    AGEMPlugin: (_two_images("sample_size"), _two_images("patterns_per_experience")),
    EarlyStoppingPlugin: (_evaluations,),
    GEMPlugin: (_two_images("patterns_per_experience"), _solver),
    MASPlugin: (_output_with_length,),
    LRSchedulerPlugin: (_own_optimizer, _repeatable_schedule),
    MIRPlugin: (_losses_of_images, _two_images("batch_size_mem")),
    ReplayPlugin: (_room_for_replay,),
}


def check_requirements(
    requirements: dict[type, tuple[Requirement, ...]], strategy: SelfSupervised
) -> None:
    """Refuse plugins that lack what they require.

    Args:
        requirements: Requirements of each kind of plugin and its subclasses.
        strategy: Strategy with the plugins.

    Raises:
        ValueError: If one does, with the plugin, what it lacks and a remedy.
    """
    for plugin in strategy.plugins:
        for kind in type(plugin).__mro__:
            for require in requirements.get(kind, ()):
                missing = require(plugin, strategy)
                if missing is not None:
                    raise ValueError(f"{type(plugin).__name__} {missing}")
