"""Every number of a run, one JSON object a line."""

import json
from pathlib import Path
from typing import Any

from avalanche.evaluation.metric_results import MetricValue
from avalanche.logging import BaseLogger


class JSONLinesLogger(BaseLogger):
    """Avalanche logger that appends metric values to a file as they come.

    A line of training holds ``metric, value, iteration, after, epoch``; one of
    evaluation ``metric, value, iteration, after, stream`` and, where it belongs to
    one, ``experience``. ``after`` counts the experiences trained before.

    Args:
        path: The file; its folder must exist.
        **context: Constants of every line, the name of the run for example.
    """

    def __init__(self, path: str | Path, **context: Any) -> None:
        super().__init__()
        self.path = Path(path)
        self.context = context
        self._training = False

    def before_training_exp(self, strategy: Any, metrics: Any, **kwargs: Any) -> None:
        """Remember that evaluations are now in the midst of training."""
        self._training = True

    def after_training_exp(self, strategy: Any, metrics: Any, **kwargs: Any) -> None:
        """Remember that they are not any more."""
        self._training = False

    def after_training_epoch(
        self, strategy: Any, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of an epoch."""
        self._write(strategy, metrics, epoch=strategy.clock.train_exp_epochs)

    def after_eval_exp(
        self, strategy: Any, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of an experience."""
        experience = strategy.experience.current_experience
        if not self._training:
            self._write(strategy, metrics, experience=experience, **_stream(strategy))

    def after_eval(
        self, strategy: Any, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of a stream."""
        if not self._training:
            self._write(strategy, metrics)

    def _write(self, strategy: Any, metrics: list[MetricValue], **where: Any) -> None:
        lines = [
            {
                **self.context,
                "metric": value.name.split("/")[0],
                "value": float(value.value),
                "iteration": value.x_plot,
                "after": strategy.clock.train_exp_counter,
                **where,
            }
            for value in metrics
            if isinstance(value.value, float | int)
        ]
        with self.path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def _stream(strategy: Any) -> dict[str, str]:
    return {"stream": strategy.experience.origin_stream.name}
