"""Logger for current releases of Weights & Biases."""

import os
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from avalanche.evaluation.metric_results import AlternativeValues, TensorImage
from avalanche.logging import BaseLogger
from matplotlib.figure import Figure
from PIL.Image import Image
from torch import Tensor


class WandBLogger(BaseLogger):
    """Avalanche logger that sends metric values to Weights & Biases.

    Stands in for Avalanche's own, which calls functions that wandb has dropped. Every
    value is logged under its full name at the training iteration it belongs to:
    numbers as they are, tensors as histograms, figures and images as images.

    Each logger is a run of its own, several in one process included. Unless the
    environment variable ``WANDB_ERROR_REPORTING`` is set, errors are not reported to
    the makers of wandb.

    Args:
        project_name: Project that the run belongs to.
        run_name: Name of the run; by default wandb makes one up.
        config: Hyperparameters to keep with the run.
        dir: Folder of the local files; by default the working directory.
        params: Further arguments of ``wandb.init``, for example ``{"mode":
            "offline"}``.

    Attributes:
        run: The run, for anything else to be logged.

    Raises:
        ModuleNotFoundError: If wandb is not installed.
    """

    def __init__(
        self,
        project_name: str = "avalanche_pnr",
        run_name: str | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        dir: str | Path | None = None,  # noqa: A002  (wandb's name)
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._options = {
            "project": project_name,
            "name": run_name,
            "config": config,
            "dir": dir,
            "reinit": "create_new",
            **(params or {}),
        }
        self._begin()

    def _begin(self) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self.run = wandb.init(**self._options)
        self._kinds: tuple[tuple[type, Callable[[Any], Any]], ...] = (
            (Real, lambda number: number),
            (Figure, wandb.Image),
            (Image, wandb.Image),
            (TensorImage, lambda tensor: wandb.Image(tensor.image)),
            (Tensor, lambda tensor: wandb.Histogram(tensor.cpu().numpy())),
        )

    def log_single_metric(self, name: str, value: Any, x_plot: int) -> None:
        """Log a value.

        Args:
            name: Full name of the metric.
            value: The value; values of other kinds (a checkpoint's bytes) are skipped.
            x_plot: Training iteration.
        """
        if isinstance(value, AlternativeValues):
            value = value.best_supported_value(*(kind for kind, _ in self._kinds))
        for kind, convert in self._kinds:
            if isinstance(value, kind):
                self.run.log({name: convert(value)}, step=x_plot)
                return

    def close(self) -> None:
        """Finish the run and write or send all that is pending."""
        self.run.finish()

    def __getstate__(self) -> dict[str, Any]:
        """Options and id of the run, with which it is continued."""
        return {**self._options, "id": self.run.id, "resume": "allow"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._options = state
        self._begin()
