"""The default evaluator of a strategy."""

from typing import Literal

from avalanche.evaluation import GenericPluginMetric
from avalanche.evaluation.metrics import Mean, loss_metrics
from avalanche.logging import InteractiveLogger
from avalanche.training.plugins import EvaluationPlugin

from avalanche_pnr.distributed.collectives import rank
from avalanche_pnr.evaluation.functional import accuracy
from avalanche_pnr.evaluation.protocol import EvaluatedStrategy


class LabelledAccuracy(GenericPluginMetric[float, Mean]):
    """Avalanche's top-1 accuracy, but NaN instead of 0 where there are no labels.

    Args:
        over: ``"experience"`` or ``"stream"``.
    """

    def __init__(self, over: Literal["experience", "stream"]) -> None:
        super().__init__(Mean(), reset_at=over, emit_at=over, mode="eval")
        self._name = f"Top1_Acc_{'Exp' if over == 'experience' else 'Stream'}"

    def update(self, strategy: EvaluatedStrategy) -> None:
        """Count the current batch."""
        labels = strategy.mb_y
        known = (labels >= 0).all()
        value = accuracy(strategy.mb_output, labels) if known else float("nan")
        self._metric.update(value, len(labels))

    def __str__(self) -> str:
        return self._name


def default_evaluator() -> EvaluationPlugin:
    """Print the training loss, and the probe's accuracy by experience and stream."""
    return EvaluationPlugin(
        loss_metrics(epoch=True),
        LabelledAccuracy("experience"),
        LabelledAccuracy("stream"),
        loggers=[InteractiveLogger()] if rank() == 0 else None,
    )
