"""Probes as a part of Avalanche's evaluation."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from avalanche.core import SupervisedPlugin
from torch import Tensor

from avalanche_pnr.distributed.collectives import rank
from avalanche_pnr.evaluation.functional import check_known
from avalanche_pnr.evaluation.metrics import PluginValues, ProbeAccuracy
from avalanche_pnr.evaluation.probes import (
    KNNProbe,
    LinearProbe,
    Probe,
    ProbeData,
    Readout,
)
from avalanche_pnr.evaluation.probes.base import check_names, fit_all
from avalanche_pnr.evaluation.probes.data import check_experiences, count_classes
from avalanche_pnr.evaluation.protocol import EvaluatedStrategy
from avalanche_pnr.evaluation.state import backbone_state
from avalanche_pnr.runs.state_checks import check_keys

READINGS: dict[str, dict[str, Any]] = {
    "Acc": {},
    "Top5_Acc": {"k": 5},
    "TaskAware_Acc": {"task_aware": True},
}
"""Ways of reading a probe's scores, by the name of the metric."""
OVER: tuple[Literal["experience", "stream"], ...] = ("experience", "stream")


class ProbePlugin(SupervisedPlugin):
    """Evaluate frozen features whenever the strategy evaluates.

    One classifier over all classes is fitted to all of ``train_data`` and read for
    each experience without masking (task-aware accuracy beside it: among the classes
    of the experience). The first probe's scores become the strategy's output in
    evaluation, so every metric and logger of Avalanche applies to them; those of all
    are published by :func:`~avalanche_pnr.ssl_metrics`.

    The training features are extracted once for each state of the model, whatever
    number of streams is evaluated.

    Args:
        train_data: Experiences with labels, for example ``benchmark.probe_stream``;
            images are taken under the eval transforms.
        probes: Probes to fit; by default a linear probe and k-NN.

    Attributes:
        scores: Scores (N, C) of the current batch, by the name of the probe.
        values: Values found by fitting, for example the learning rate of a linear
            probe, by the name of the metric.

    Raises:
        ValueError: If there is no experience or no probe, or two have the same name.
    """

    def __init__(
        self, train_data: Iterable[Any], probes: Sequence[Probe] | None = None
    ) -> None:
        super().__init__()
        self.supports_distributed = True
        self.train_data = check_experiences(train_data)
        if probes is None:
            probes = [LinearProbe(), KNNProbe()]
        self.probes = list(probes)
        check_names(self.probes)
        images = sum(len(each.dataset) for each in self.train_data)
        for probe in self.probes:
            probe.check_images(images)
        self.scores: dict[str, Tensor] = {}
        self.values: dict[str, float] = {}
        self._readouts: dict[str, Readout] = {}
        self._fitted_to = b""

    def metrics(self) -> list[Any]:
        """Make accuracies of every probe by experience and by stream, and ``values``.

        Named ``Linear_Acc_Exp``, ``Knn_Top5_Acc_Stream``, ``Linear_Lr_Stream`` etc.
        Metrics that are always 1, such as top-5 accuracy of five classes, are left out.
        """
        classes = count_classes(each.dataset for each in self.train_data)
        accuracies = [
            ProbeAccuracy(
                self, probe.name, f"{probe.name.capitalize()}_{name}", over, **reading
            )
            for probe in self.probes
            for name, reading in READINGS.items()
            for over in OVER
            if reading.get("k", 1) < classes
        ]
        return [*accuracies, PluginValues(self)]

    def before_training_exp(
        self, strategy: EvaluatedStrategy, num_workers: int = 0, **kwargs: Any
    ) -> None:
        """Prepare probes that are trained beside the network."""
        self._data = self._behind(strategy, num_workers)

    def after_training_iteration(
        self, strategy: EvaluatedStrategy, **kwargs: Any
    ) -> None:
        """Let probes that are trained beside the network take their step.

        On several processes the first one trains them.
        """
        if rank() == 0:
            for probe in self.probes:
                probe.step(self._data)
        self._fitted_to = b""

    def before_eval(
        self, strategy: EvaluatedStrategy, num_workers: int = 0, **kwargs: Any
    ) -> None:
        """Fit the probes, unless they are fitted to this state of the model.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one.
        """
        state = backbone_state(strategy, self)
        if state != self._fitted_to:
            data = self._behind(strategy, num_workers)
            self._readouts = fit_all(self.probes, data)
            self.values = {
                f"{name.capitalize()}_{detail}_Stream": value
                for name, readout in self._readouts.items()
                for detail, value in readout.details.items()
            }
            self._fitted_to = state
        strategy.readout = self._readouts[self.probes[0].name]

    def before_eval_forward(self, strategy: EvaluatedStrategy, **kwargs: Any) -> None:
        """Refuse samples without a label.

        Raises:
            ValueError: If a label is -1.
        """
        if (strategy.mb_y < 0).any():
            raise ValueError(
                "cannot judge samples without a label: evaluate on labelled "
                f"experiences (stream {strategy.experience.origin_stream.name!r})"
            )

    def after_eval_forward(self, strategy: EvaluatedStrategy, **kwargs: Any) -> None:
        """Score the batch with every probe.

        Raises:
            ValueError: If a label is above those of ``train_data``.
        """
        check_known(strategy.mb_y, strategy.mb_output.shape[1])
        first, *others = self.probes
        self.scores = {
            first.name: strategy.mb_output,
            **{
                probe.name: self._readouts[probe.name](strategy.mb_features)
                for probe in others
            },
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the probes that are trained beside the network."""
        return {probe.name: probe.state_dict() for probe in self.probes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore those probes; the others are fitted in each evaluation.

        Raises:
            ValueError: If the state is that of other probes.
        """
        check_keys(state, (probe.name for probe in self.probes), "the probes")
        for probe in self.probes:
            probe.load_state_dict(state[probe.name])
        self._fitted_to = b""

    def _behind(self, strategy: EvaluatedStrategy, num_workers: int) -> ProbeData:
        """The labelled images, behind the strategy's network."""
        return ProbeData(
            strategy.model,
            self.train_data,
            batch_size=strategy.eval_mb_size,
            device=strategy.device,
            num_workers=num_workers,
        )
