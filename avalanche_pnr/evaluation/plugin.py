"""Probes as a part of Avalanche's evaluation."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metrics.accuracy import ExperienceAccuracy, StreamAccuracy
from torch import Tensor, nn

from avalanche_pnr.evaluation.functional import fit_probes
from avalanche_pnr.evaluation.probes import (
    KNNProbe,
    LinearProbe,
    Probe,
    Readout,
    check_names,
)


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

    Raises:
        ValueError: If there is no probe, or two have the same name.
    """

    def __init__(
        self, train_data: Iterable[Any], probes: Sequence[Probe] | None = None
    ) -> None:
        super().__init__()
        self.train_data = list(train_data)
        if probes is None:
            probes = [LinearProbe(), KNNProbe()]
        self.probes = list(probes)
        check_names(self.probes)
        self.scores: dict[str, Tensor] = {}
        self._readouts: dict[str, Readout] = {}
        self._fitted_to = b""

    def before_eval(self, strategy: Any, **kwargs: Any) -> None:
        """Fit the probes, unless they are fitted to this state of the model.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one.
        """
        if not hasattr(strategy, "readout"):
            raise TypeError(
                "ProbePlugin judges frozen features, which "
                f"{type(strategy).__name__} does not give: use it with "
                "avalanche_pnr.SelfSupervised"
            )
        state = _checksum(strategy.model.backbone)
        if state != self._fitted_to:
            self._readouts = fit_probes(
                strategy.model,
                self.train_data,
                self.probes,
                batch_size=strategy.eval_mb_size,
                device=strategy.device,
                num_workers=kwargs.get("num_workers", 0),
            )
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
        """Score the batch with every probe.

        Raises:
            ValueError: If a label is above those of ``train_data``.
        """
        highest, classes = int(strategy.mb_y.max()), strategy.mb_output.shape[1]
        if highest >= classes:
            raise ValueError(
                f"class {highest} is evaluated but not in train_data, whose classes "
                f"end at {classes - 1}: give the probe labelled data of every class"
            )
        self.scores = {
            probe.name: self._readouts[probe.name](strategy.mb_features)
            for probe in self.probes
        }


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


def _checksum(model: nn.Module) -> bytes:
    """Digest of every parameter and buffer: whoever changes one, by whatever means."""
    digest = hashlib.blake2b()
    for tensor in model.state_dict().values():
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.digest()
