"""Probes as a part of Avalanche's evaluation."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metrics.accuracy import ExperienceAccuracy, StreamAccuracy
from torch import Tensor

from avalanche_pnr.evaluation.features import extract_stream
from avalanche_pnr.evaluation.probes import KNNProbe, LinearProbe, Probe, Readout


class ProbePlugin(SupervisedPlugin):
    """Judge frozen features whenever the strategy evaluates.

    One classifier over all classes is fitted to all of ``train_data`` and read for
    each experience without masking. The first probe's scores become the strategy's
    output in evaluation, so every metric and logger of Avalanche applies to them;
    those of the others are published by :func:`probe_metrics`.

    The training features are extracted once for each state of the model, whatever
    number of streams is evaluated.

    Args:
        train_data: Experiences with labels, for example ``benchmark.train_stream``;
            images are taken under the eval transforms.
        probes: What judges; by default a linear probe and k-NN.
    """

    def __init__(
        self, train_data: Iterable[Any], probes: Sequence[Probe] | None = None
    ) -> None:
        super().__init__()
        self.train_data = train_data
        self.probes: list[Probe] = list(probes or (LinearProbe(), KNNProbe()))
        self.scores: dict[str, Tensor] = {}
        self._readouts: dict[str, Readout] = {}
        self._fitted_to: list[tuple[int, int]] = []

    def before_eval(self, strategy: Any, **kwargs: Any) -> None:
        """Fit the probes, unless they are fitted to this state of the model."""
        state = _state(strategy)
        if state != self._fitted_to:
            parts = extract_stream(
                strategy.model,
                self.train_data,
                batch_size=strategy.eval_mb_size,
                device=strategy.device,
            )
            features, labels = (torch.cat(part) for part in zip(*parts, strict=True))
            self._readouts = {p.name: p.fit(features, labels) for p in self.probes}
            self._fitted_to = state
        strategy.readout = self._readouts[self.probes[0].name]

    def before_eval_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Refuse samples without a label.

        Raises:
            ValueError: If a label is -1.
        """
        if (strategy.mb_y < 0).any():
            raise ValueError(
                "cannot judge samples without a label: evaluate on labelled "
                f"experiences (stream {strategy.experience.origin_stream.name!r})"
            )

    def after_eval_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Score the batch with every probe."""
        self.scores = {
            probe.name: self._readouts[probe.name](strategy.mb_features)
            for probe in self.probes[1:]
        }
        self.scores[self.probes[0].name] = strategy.mb_output


def probe_metrics(plugin: ProbePlugin) -> list[Any]:
    """Accuracy by experience and by stream of each of a plugin's probes.

    For an ``EvaluationPlugin``; named ``Linear_Acc_Exp``, ``Knn_Acc_Stream`` etc.

    Args:
        plugin: The plugin whose scores are judged.
    """
    return [
        metric
        for probe in plugin.probes
        for metric in (
            _ProbeExperienceAccuracy(plugin, probe.name),
            _ProbeStreamAccuracy(plugin, probe.name),
        )
    ]


class _ProbeScores:
    """Reads a probe's scores where Avalanche's accuracy reads the output."""

    suffix: str
    _metric: Any

    def __init__(self, plugin: ProbePlugin, probe: str) -> None:
        super().__init__()
        self._plugin, self._probe = plugin, probe

    def update(self, strategy: Any) -> None:
        self._metric.update(self._plugin.scores[self._probe], strategy.mb_y)

    def __str__(self) -> str:
        return f"{self._probe.capitalize()}_Acc_{self.suffix}"


class _ProbeExperienceAccuracy(_ProbeScores, ExperienceAccuracy):
    suffix = "Exp"


class _ProbeStreamAccuracy(_ProbeScores, StreamAccuracy):
    suffix = "Stream"


def _state(strategy: Any) -> list[tuple[int, int]]:
    """What changes when the backbone does: steps taken and tensors written to."""
    tensors = strategy.model.backbone.state_dict(keep_vars=True).values()
    return [
        (id(strategy.model), strategy.clock.train_iterations),
        *((tensor.data_ptr(), tensor._version) for tensor in tensors),
    ]
