"""A check that Avalanche's plugin can rewind a learning-rate schedule."""

import copy
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
from avalanche.training.plugins import LRSchedulerPlugin


def repeats(plugin: LRSchedulerPlugin, epochs: int) -> bool:
    """Return whether a schedule has the same rates in its first two experiences.

    A copy is tried in the plugin's own hooks; a schedule by iteration, 100 times.

    Args:
        plugin: Avalanche's plugin, not yet used.
        epochs: Number of epochs of each experience.
    """
    trial: Any = _without_parameters(plugin)
    optimizer = trial.scheduler.optimizer
    clock = SimpleNamespace(train_exp_counter=0, train_exp_epochs=0)
    stub: Any = SimpleNamespace(optimizer=optimizer, is_training=True, clock=clock)
    steps = epochs if plugin.step_granularity == "epoch" else 100
    steps = min(steps, getattr(trial.scheduler, "total_steps", None) or steps)

    def experience() -> list[float]:
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            trial._step_scheduler(stub)
        trial.after_training_exp(stub)
        return rates

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.allclose(experience(), experience())


def _without_parameters(plugin: LRSchedulerPlugin) -> LRSchedulerPlugin:
    """A copy whose optimizer shares parameters and state with the original's."""
    optimizer = plugin.scheduler.optimizer
    groups = optimizer.param_groups
    shared = [
        optimizer.state,
        *(param for group in groups for param in group["params"]),
    ]
    return copy.deepcopy(plugin, {id(each): each for each in shared})
