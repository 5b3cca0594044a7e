"""Results of the evaluation plugins as metrics for Avalanche's loggers."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from avalanche.evaluation import GenericPluginMetric, PluginMetric
from avalanche.evaluation.metric_results import MetricValue
from avalanche.evaluation.metric_utils import get_metric_name
from avalanche.evaluation.metrics import Mean
from torch import Tensor

from avalanche_pnr.evaluation.functional import accuracy
from avalanche_pnr.evaluation.protocol import EvaluatedStrategy


class HasMetrics(Protocol):
    """A plugin whose results can be published."""

    def metrics(self) -> list[Any]:
        """Make metrics for an ``EvaluationPlugin``."""


class HasScores(Protocol):
    """A plugin with the scores (N, C) of the batch, by name of the probe."""

    scores: Mapping[str, Tensor]


class HasValues(Protocol):
    """A plugin with values by name, ``"Name"`` or ``"Name/Tail"``."""

    @property
    def values(self) -> Mapping[str, float]:
        """Return the values by name."""


def ssl_metrics(*plugins: HasMetrics) -> list[Any]:
    """Make metrics of all that plugins such as ``ProbePlugin`` measure.

    For an ``EvaluationPlugin``: ``EvaluationPlugin(ssl_metrics(probes), ...)``. Every
    logger takes them but Avalanche's ``CSVLogger``, whose columns are fixed: it writes
    ``accuracy_metrics`` and ``loss_metrics``, which are those of the first probe.

    Args:
        *plugins: Plugins of the same strategy that have metrics: ``ProbePlugin``,
            ``DownstreamPlugin``, ``RepresentationPlugin``.
    """
    return [metric for plugin in plugins for metric in plugin.metrics()]


class ProbeAccuracy(GenericPluginMetric[float, Mean]):
    """Accuracy of a probe over an experience or a stream.

    Args:
        plugin: Plugin with the scores of the current batch.
        probe: Name of the probe.
        name: Name of the metric, without ``_Exp`` or ``_Stream``.
        over: ``"experience"`` or ``"stream"``.
        k: Number of highest scores among which the label's must be.
        task_aware: Whether only the classes of the current experience compete. The
            accuracy is NaN if its data set has no ``targets`` that name them.
    """

    def __init__(
        self,
        plugin: HasScores,
        probe: str,
        name: str,
        over: Literal["experience", "stream"],
        k: int = 1,
        task_aware: bool = False,
    ) -> None:
        super().__init__(Mean(), reset_at=over, emit_at=over, mode="eval")
        self._plugin, self._probe = plugin, probe
        self._name = f"{name}_{'Exp' if over == 'experience' else 'Stream'}"
        self._k, self._task_aware = k, task_aware

    def update(self, strategy: EvaluatedStrategy) -> None:
        """Count the current batch."""
        self._metric.update(self._accuracy(strategy), len(strategy.mb_y))

    def _accuracy(self, strategy: EvaluatedStrategy) -> float:
        scores, labels = self._plugin.scores[self._probe], strategy.mb_y
        if not self._task_aware:
            return accuracy(scores, labels, k=self._k)
        dataset = strategy.experience.dataset
        if not hasattr(dataset, "targets"):
            return float("nan")
        classes = (int(label) for label in dataset.targets.uniques)
        return accuracy(scores, labels, k=self._k, classes=classes)

    def _package_result(self, strategy: EvaluatedStrategy) -> list[MetricValue]:
        # Over a stream a task label would be that of its last experience.
        by_experience = self._emit_at == "experience"
        name = get_metric_name(
            self, strategy, add_experience=by_experience, add_task=by_experience
        )
        step = strategy.clock.train_iterations
        return [MetricValue(self, name, self.result(), step)]

    def __str__(self) -> str:
        return self._name


class PluginValues(PluginMetric[Mapping[str, float]]):
    """Publishes the values of a plugin when the evaluation of a stream ends.

    A key ``"Name"`` or ``"Name/Tail"`` of its ``values`` is published as
    ``Name/eval_phase/<stream>_stream[/Tail]``.

    Args:
        plugin: Plugin with the values.
    """

    def __init__(self, plugin: HasValues) -> None:
        super().__init__()
        self._plugin = plugin

    def result(self) -> Mapping[str, float]:
        """Return the plugin's values."""
        return self._plugin.values

    def reset(self) -> None:
        """Do nothing: no values are accumulated."""

    def after_eval(self, strategy: EvaluatedStrategy) -> list[MetricValue]:
        """Publish the values."""
        step = strategy.clock.train_iterations
        return [
            MetricValue(self, _full_name(name, strategy), value, step)
            for name, value in self.result().items()
        ]

    def __str__(self) -> str:
        return type(self._plugin).__name__


def _full_name(name: str, strategy: EvaluatedStrategy) -> str:
    head, slash, tail = name.partition("/")
    return f"{get_metric_name(head, strategy, add_task=False)}{slash}{tail}"
