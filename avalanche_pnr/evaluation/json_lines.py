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
    one, ``experience``. ``after`` counts the experiences trained before. Evaluations
    in the midst of training are left to Avalanche's other loggers.

    Args:
        path: The file; its folder must exist.
        **context: Constants of every line, the name of the run for example.
    """

    def __init__(self, path: str | Path, **context: Any) -> None:
        super().__init__()
        self.path = Path(path)
        self.context = context

    def after_training_epoch(
        self, strategy: Any, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of an epoch."""
        self._write(strategy, metrics, epoch=strategy.clock.train_exp_epochs)

    def after_eval_exp(
        self, strategy: Any, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of an experience."""
        experience = strategy.experience
        self._write_evaluation(
            strategy,
            metrics,
            stream=experience.origin_stream.name,
            experience=experience.current_experience,
        )

    def after_eval(
        self, strategy: Any, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of a stream."""
        stream = next(iter(strategy.current_eval_stream)).origin_stream.name
        self._write_evaluation(strategy, metrics, stream=stream)

    def _write_evaluation(self, strategy: Any, metrics: Any, **where: Any) -> None:
        # Set by Avalanche for as long as train() runs.
        if strategy._eval_streams is None:
            self._write(strategy, metrics, **where)

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
