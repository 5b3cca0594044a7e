"""Every number of a run, one JSON object a line."""

import json
import re
from numbers import Real
from pathlib import Path
from typing import Any

from avalanche.evaluation.metric_results import MetricValue
from avalanche.logging import BaseLogger
from avalanche.training.templates.base_sgd import BaseSGDTemplate

from avalanche_pnr.runs.files import append
from avalanche_pnr.runs.state_checks import check_same_form

_STATE = ("_training", "_uncounted", "_sub_experiences")
"""Keys of a logger's state."""


class JSONLinesLogger(BaseLogger):
    """Avalanche logger that appends metric values to a file as they come.

    A line of training holds ``metric, value, iteration, after, epoch``; one of
    evaluation ``metric, value, iteration, after, stream`` and, where it belongs to
    one, ``experience``. ``after`` counts the experiences trained before, whole ones on
    online streams; an evaluation in the midst of one has an ``epoch`` too. A value
    that is not defined is NaN, as Python's ``json`` writes it; values that are not
    numbers, such as pictures, are left out.

    Args:
        path: The file; its folder must exist.
        **context: Constants of every line, for example the name of the run.
    """

    def __init__(self, path: str | Path, **context: Any) -> None:
        super().__init__()
        self.path = Path(path)
        self.context = context
        self._training = False
        self._uncounted = 0
        self._sub_experiences = 0

    def before_training_exp(
        self, strategy: BaseSGDTemplate, metrics: Any, **kwargs: Any
    ) -> None:
        """Note that evaluations from now on are in the midst of training."""
        self._training, self._uncounted = True, 0

    def after_training_exp(
        self, strategy: BaseSGDTemplate, metrics: Any, **kwargs: Any
    ) -> None:
        """Count the experience as trained; the clock counts it later.

        On online streams it ends with its last sub-experience; the clock counts each.
        """
        ended = getattr(strategy, "sub_experience", 0) + 1 == getattr(
            strategy, "sub_experiences", 1
        )
        self._training, self._uncounted = not ended, 1
        self._sub_experiences += not ended

    def after_training(
        self, strategy: BaseSGDTemplate, metrics: Any, **kwargs: Any
    ) -> None:
        """Rely on the clock again, which has counted by now."""
        self._uncounted = 0

    def after_training_epoch(
        self, strategy: BaseSGDTemplate, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of an epoch."""
        self._write(strategy, metrics, epoch=strategy.clock.train_exp_epochs)

    def after_eval_exp(
        self, strategy: BaseSGDTemplate, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of an experience."""
        stream = strategy.experience.origin_stream.name
        self._write_evaluation(strategy, metrics, stream=stream)

    def after_eval(
        self, strategy: BaseSGDTemplate, metrics: list[MetricValue], **kwargs: Any
    ) -> None:
        """Write the metrics of a stream."""
        stream = next(iter(strategy.current_eval_stream)).origin_stream.name
        self._write_evaluation(strategy, metrics, stream=stream)

    def state_dict(self) -> dict[str, Any]:
        """Return the position in training, for the lines to come; not the lines."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the position in training.

        Raises:
            ValueError: If the state is not that of such a logger.
        """
        check_same_form(state, self.state_dict(), "JSONLinesLogger")
        for name in _STATE:
            setattr(self, name, state[name])

    def _write_evaluation(
        self, strategy: BaseSGDTemplate, metrics: Any, **where: Any
    ) -> None:
        if self._training:
            where["epoch"] = strategy.clock.train_exp_epochs
        self._write(strategy, metrics, **where)

    def _write(
        self, strategy: BaseSGDTemplate, metrics: list[MetricValue], **where: Any
    ) -> None:
        after = (
            strategy.clock.train_exp_counter + self._uncounted - self._sub_experiences
        )
        lines = [
            {
                **self.context,
                "metric": value.name.split("/")[0],
                "value": float(value.value),
                "iteration": value.x_plot,
                "after": after,
                **where,
                **_experience(value.name),
            }
            for value in metrics
            if isinstance(value.value, Real)
        ]
        append(self.path, "".join(json.dumps(line) + "\n" for line in lines))


def _experience(name: str) -> dict[str, int]:
    """The experience that a metric's full name ends with, if it does."""
    match = re.search(r"/Exp(\d+)$", name)
    return {"experience": int(match[1])} if match else {}
