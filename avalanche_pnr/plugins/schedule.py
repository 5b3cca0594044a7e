"""Learning-rate schedule of every experience."""

import warnings
from typing import Any

from avalanche.core import SupervisedPlugin
from avalanche.training.templates.base_sgd import BaseSGDTemplate
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from avalanche_pnr.runs.state_checks import (
    check_keys,
    check_same_form,
    check_type,
)


class WarmupCosinePlugin(SupervisedPlugin):
    """Linear warm-up and cosine decay to zero, anew in each experience.

    Epoch e of E, with W warm-up epochs, rate b and start s:
    s + e (b - s) / (W - 1) below W, then b/2 (1 + cos(pi (e - W) / (E - W))).
    (Avalanche's ``LRSchedulerPlugin`` rewinds one scheduler, which breaks warm-ups
    from the second experience on.)

    Args:
        warmup_epochs: W; shortened, with a warning, to what the epochs allow. Below
            2 there is no warm-up.
        warmup_start_lr: s of the first parameter group; others in proportion.

    Raises:
        ValueError: When training begins, if s is above the learning rate.

    Source: the published recipes, arXiv 2306.05101, appendix.
    """

    def __init__(self, *, warmup_epochs: int = 10, warmup_start_lr: float = 0.003):
        super().__init__()
        self.supports_distributed = True
        self.warmup_epochs = warmup_epochs
        self.warmup_start_lr = warmup_start_lr
        self._base_lrs: list[float] | None = None
        self._scheduler: SequentialLR | CosineAnnealingLR | None = None

    def check(self, optimizer: Optimizer) -> None:
        """Refuse a warm-up during which the learning rate would fall.

        Raises:
            ValueError: If s is not above 0 or above the learning rate.
        """
        base_lr = optimizer.param_groups[0]["lr"]
        if self.warmup_epochs > 1 and not 0 < self.warmup_start_lr <= base_lr:
            raise ValueError(
                f"the warm-up starts at {self.warmup_start_lr}, which is not between 0 "
                f"and the learning rate {base_lr}: change warmup_start_lr "
                "(schedule.warmup_start_lr) or lr (base_lr, which batch_size scales)"
            )

    def before_training_exp(self, strategy: BaseSGDTemplate, **kwargs: Any) -> None:
        """Start the schedule from the optimizer's own learning rates."""
        groups = strategy.optimizer.param_groups
        if self._base_lrs is None:
            self.check(strategy.optimizer)
            self._warn_if_shortened(strategy.train_epochs)
            self._base_lrs = [group["lr"] for group in groups]
        for group, lr in zip(groups, self._base_lrs, strict=True):
            group["lr"] = group["initial_lr"] = lr
        self._scheduler = self._make(strategy.optimizer, strategy.train_epochs)

    def after_training_epoch(self, strategy: BaseSGDTemplate, **kwargs: Any) -> None:
        """Advance by one epoch."""
        if self._scheduler is not None:
            with warnings.catch_warnings():
                # SequentialLR passes an epoch to its schedulers, which warn of it.
                warnings.filterwarnings("ignore", message="The epoch parameter")
                # A training may be continued after the last step of an epoch.
                warnings.filterwarnings("ignore", message="Detected call of")
                self._scheduler.step()

    def after_training_exp(self, strategy: BaseSGDTemplate, **kwargs: Any) -> None:
        """End the schedule with the experience."""
        self._scheduler = None

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizer's learning rates, and the position in the schedule."""
        scheduler = self._scheduler and self._scheduler.state_dict()
        return {"base_lrs": self._base_lrs, "scheduler": scheduler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; a schedule that has not begun begins by itself.

        Raises:
            ValueError: If it is not the state of such a schedule.
        """
        check_keys(state, ("base_lrs", "scheduler"), "the schedule")
        base_lrs, scheduler = state["base_lrs"], state["scheduler"]
        check_type(base_lrs, "base_lrs", list, type(None))
        for each in base_lrs or ():
            check_type(each, "base_lrs", int, float)
        if self._scheduler is not None and scheduler is not None:
            check_same_form(scheduler, self._scheduler.state_dict(), "the schedule")
            self._scheduler.load_state_dict(scheduler)
        self._base_lrs = base_lrs

    def _fitting_warmup(self, epochs: int) -> int:
        warmup = min(self.warmup_epochs, epochs - 1)
        return warmup if warmup > 1 else 0

    def _warn_if_shortened(self, epochs: int) -> None:
        if epochs and self.warmup_epochs > max(epochs - 1, 1):
            warmup = self._fitting_warmup(epochs)
            warnings.warn(
                f"warm-up shortened from {self.warmup_epochs} epochs to {warmup}: the "
                f"experience has {epochs}",
                stacklevel=3,
            )

    def _make(
        self, optimizer: Optimizer, epochs: int
    ) -> SequentialLR | CosineAnnealingLR:
        warmup = self._fitting_warmup(epochs)
        if warmup == 0:
            return CosineAnnealingLR(optimizer, max(epochs, 1))
        start = self.warmup_start_lr / optimizer.param_groups[0]["initial_lr"]
        linear = LinearLR(optimizer, start, total_iters=warmup - 1)
        cosine = CosineAnnealingLR(optimizer, epochs - warmup)
        return SequentialLR(optimizer, [linear, cosine], [warmup])
