"""Replaces two methods in ``avalanche/training/plugins/lr_scheduling.py``.

What the scheduler and the learning rates were when the plugin was made is what every
experience begins with.
"""

import copy
from typing import Any

from avalanche.training.plugins.lr_scheduling import LRSchedulerPlugin

_init = LRSchedulerPlugin.__init__


def initialize(self: Any, scheduler: Any, *args: Any, **kwargs: Any) -> None:
    """Keep what every experience begins with."""
    _init(self, scheduler, *args, **kwargs)
    self._initial_state = copy.deepcopy(scheduler.state_dict())
    self._initial_lrs = [group["lr"] for group in scheduler.optimizer.param_groups]


def after_training_exp(self: Any, strategy: Any, **kwargs: Any) -> None:
    """Begin anew, as far as asked for."""
    if self.reset_lr:
        for group, lr in zip(strategy.optimizer.param_groups, self._initial_lrs):
            group["lr"] = lr
    if self.reset_scheduler:
        self.scheduler.load_state_dict(copy.deepcopy(self._initial_state))


LRSchedulerPlugin.__init__ = initialize
LRSchedulerPlugin.after_training_exp = after_training_exp
