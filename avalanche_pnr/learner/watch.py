"""Watching an experience while it is learned, without labels."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr.evaluation.features import extract_unlabelled
from avalanche_pnr.evaluation.representation import (
    effective_rank,
    linear_cka,
    uniformity,
)
from avalanche_pnr.learner.folder import write_json
from avalanche_pnr.runs.progress import Bar
from avalanche_pnr.training import SelfSupervised

CHECKS = 20
"""Largest number of checks of the representation in an experience."""
COLLAPSED = 0.25
"""Fraction of the effective rank at the beginning, below which it is a collapse."""
DRIFTED = 0.5
"""Linear CKA with an earlier experience's features, below which it is drift."""
SHOWN = 2
"""Seconds between two looks at the progress."""
FEWEST = 8
"""Fewest images whose features say something about all."""


class WatchPlugin(SupervisedPlugin):
    """Follows loss, drift and collapse, and warns when one goes wrong.

    Args:
        sample: Images of each experience as data sets, by its number.
        reference: Features of each earlier experience's images at its end, (N, F).
        say: Shows a line.

    Attributes:
        history: A record for each check: epoch, loss, effective rank, uniformity, and
            CKA with the features of each earlier experience.
    """

    def __init__(
        self,
        sample: Mapping[int, AvalancheDataset[Any]],
        reference: Mapping[int, Tensor],
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.history: list[dict[str, Any]] = []
        self._sample = {k: v for k, v in sample.items() if len(v) >= FEWEST}
        # Of a point it cannot be said how far it is from anything.
        self._reference = {k: v for k, v in reference.items() if effective_rank(v)}
        self._say = say
        self._sum = torch.zeros(())
        self._batches = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the history, and the loss of the present epoch so far."""
        return {
            "history": self.history,
            "sum": self._sum.cpu(),
            "batches": self._batches,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.history = [dict(each) for each in state["history"]]
        self._sum, self._batches = state["sum"].clone(), state["batches"]

    def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Look at the representation before it changes."""
        self._check(strategy, 0)

    def after_training_iteration(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Sum the loss up."""
        self._sum = self._sum.to(strategy.device) + strategy.loss.detach().mean()
        self._batches += 1

    def after_training_epoch(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Look at the representation, some times in an experience."""
        epoch = strategy.clock.train_exp_epochs + 1
        if epoch % max(1, strategy.train_epochs // CHECKS) == 0:
            self._check(strategy, epoch)

    def _check(self, strategy: SelfSupervised, epoch: int) -> None:
        loss = self._sum.item() / self._batches if self._batches else None
        self._sum, self._batches = torch.zeros(()), 0
        record: dict[str, Any] = {"epoch": epoch, "loss": loss}
        features = features_of(strategy.model.backbone, self._sample, strategy.device)
        if features:
            together = torch.cat(list(features.values()))
            record["effective_rank"] = effective_rank(together)
            record["uniformity"] = uniformity(together)
            record["cka"] = {
                str(k): _cka(old.to(together), features[k])
                for k, old in self._reference.items()
                if k in features
            }
        self.history.append(record)
        for warning in warnings_of(self.history):
            self._say(f"warning: {warning}")
        for k in returned(self.history):
            self._say(
                f"the representation of experience {k} has come back: CKA "
                f"{record['cka'][k]:.2f} after epoch {epoch}"
            )


def warnings_of(history: list[dict[str, Any]]) -> list[str]:
    """Return the warnings that the last record of a history adds to those before."""
    warnings = []
    last = history[-1]
    ranks = [each["effective_rank"] for each in history if "effective_rank" in each]
    if ranks == [0]:
        warnings.append(
            "the features of all images are the same before this experience, and will "
            "stay so: undo what has collapsed, and learn it anew with a lower base_lr, "
            "or a larger batch_size"
        )
    low = [rank < COLLAPSED * ranks[0] for rank in ranks]
    if low and low[-1] and not any(low[:-1]):
        warnings.append(
            "the features collapse: they use less than a quarter of the dimensions "
            "that they used when the experience began; lower base_lr, or raise "
            "batch_size"
        )
    far_before = _drifted(history[-2]) if len(history) > 1 else []
    warnings += [
        f"after epoch {last['epoch']} the representation of experience {k} has drifted "
        f"far (CKA {last['cka'][k]:.2f}, below {DRIFTED}); if it ends there, a lower "
        "base_lr or memory=N forgets less"
        for k in _drifted(last)
        if k not in far_before
    ]
    return warnings


def returned(history: list[dict[str, Any]]) -> list[str]:
    """Name the experiences that are near again in the last record of a history."""
    before = _drifted(history[-2]) if len(history) > 1 else []
    return [k for k in before if history[-1].get("cka", {}).get(k, 0) >= DRIFTED]


def _drifted(record: dict[str, Any]) -> list[str]:
    """Name the experiences whose representation is far from what it was."""
    return [k for k, cka in record.get("cka", {}).items() if cka < DRIFTED]


def _cka(old: Tensor, new: Tensor) -> float:
    """Compute linear CKA; of features that have become a point it is 0."""
    value = linear_cka(old, new)
    return value if math.isfinite(value) else 0.0


def features_of(
    backbone: nn.Module,
    sample: Mapping[int, AvalancheDataset[Any]],
    device: torch.device,
) -> dict[int, Tensor]:
    """Compute features of the images of each experience, (N, F), on the CPU."""
    return {
        number: extract_unlabelled(backbone, images.eval(), device=device).float().cpu()
        for number, images in sample.items()
    }


class ProgressPlugin(SupervisedPlugin):
    """A bar with loss, images a second and time left; a line a minute in a file.

    Args:
        description: What is being learned.
        status: File that says the same for other programs.
        facts: Further entries of that file.
        say: Shows a line.
    """

    def __init__(
        self,
        description: str,
        status: Path,
        facts: dict[str, Any],
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.supports_distributed = True
        self._description = description
        self._status = status
        self._facts = facts
        self._say = say
        self._bar: Bar | None = None
        self._shown = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return no state: progress is that of a process."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing, likewise."""

    def before_training_iteration(
        self, strategy: SelfSupervised, **kwargs: Any
    ) -> None:
        """Show the bar from where training stands."""
        if self._bar is None:
            self._bar = Bar(
                len(strategy.dataloader) * strategy.train_epochs,
                "step",
                initial=strategy.clock.train_exp_iterations,
                desc=self._description,
                say=self._say,
            )

    def after_training_iteration(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Advance, and write the status from time to time."""
        bar = self._bar
        assert bar is not None
        bar.update()
        now = time.monotonic()
        if now - self._shown < SHOWN:
            return
        self._shown = now
        status = {
            **self._facts,
            "state": "learning",
            "step": bar.n,
            "steps": bar.total,
            "loss": strategy.loss.mean().item(),
            "images_per_second": round(bar.speed * len(strategy.mb_x), 1),
            "seconds_left": round(bar.seconds_left or 0),
        }
        text = f"loss {status['loss']:.4g}, {status['images_per_second']:g} images/s"
        bar.set_postfix_str(text, refresh=False)
        write_json(self._status, {**status, "updated": time.time()})

    def after_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
