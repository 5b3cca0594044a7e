"""Data sets that the network has never seen."""

from collections.abc import Iterable, Sequence
from typing import Any

from avalanche.core import SupervisedPlugin
from torch import Tensor

from avalanche_pnr.evaluation.functional import accuracy
from avalanche_pnr.evaluation.metrics import PluginValues
from avalanche_pnr.evaluation.probes import LinearProbe, Probe, ProbeData, Readout
from avalanche_pnr.evaluation.probes.base import check_names, fit_all
from avalanche_pnr.evaluation.probes.data import check_experiences
from avalanche_pnr.evaluation.protocol import EvaluatedStrategy
from avalanche_pnr.evaluation.state import backbone_state


class DownstreamPlugin(SupervisedPlugin):
    """Evaluate frozen features on another data set, whenever the strategy evaluates.

    The probes are fitted to the data set's own training images and read on its own
    test images, all classes together. This is done once for each state of the model.

    Args:
        name: Name of the data set, which ends the names of its metrics.
        train_data: Experiences with its labelled training images.
        test_data: Experiences with its labelled test images.
        probes: Probes to fit; by default a linear probe.

    Attributes:
        values: Accuracy by the name of its metric, ``Linear_Acc_Downstream_<name>``,
            and values found by fitting, such as ``Linear_Lr_Downstream_<name>``.

    Raises:
        ValueError: If either has no experience, there is no probe, two have the same
            name, or the name of the data holds a "/".
    """

    def __init__(
        self,
        name: str,
        train_data: Iterable[Any],
        test_data: Iterable[Any],
        probes: Sequence[Probe] | None = None,
    ) -> None:
        super().__init__()
        self.supports_distributed = True
        if "/" in name:
            raise ValueError(f"the name {name!r} must do without '/', as metrics do")
        self.name = name
        self.train_data = check_experiences(train_data)
        self.test_data = check_experiences(test_data, of="test_data")
        self.probes = [LinearProbe()] if probes is None else list(probes)
        check_names(self.probes)
        self.values: dict[str, float] = {}
        self._fitted_to = b""

    def metrics(self) -> list[Any]:
        """Make metrics of the values, ``Linear_Acc_Downstream_<name>`` etc."""
        return [PluginValues(self)]

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: probes are fitted anew in each evaluation."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""
        self._fitted_to = b""

    def before_eval(
        self, strategy: EvaluatedStrategy, num_workers: int = 0, **kwargs: Any
    ) -> None:
        """Evaluate, unless this state of the model has been evaluated.

        Raises:
            TypeError: If the strategy is not a ``SelfSupervised`` one.
            ValueError: If a label of ``test_data`` is above those of ``train_data``.
        """
        state = backbone_state(strategy, self)
        if state == self._fitted_to:
            return
        train, test = (
            ProbeData(
                strategy.model,
                experiences,
                batch_size=strategy.eval_mb_size,
                device=strategy.device,
                num_workers=num_workers,
            )
            for experiences in (self.train_data, self.test_data)
        )
        readouts = fit_all(self.probes, train)
        self.values = {
            f"{probe.capitalize()}_{name}_Downstream_{self.name}": value
            for probe, readout in readouts.items()
            for name, value in _judge(readout, *test.features).items()
        }
        self._fitted_to = state


def _judge(readout: Readout, features: Tensor, labels: Tensor) -> dict[str, float]:
    """Accuracy of a fitted probe, and the values found by fitting it."""
    return {"Acc": accuracy(readout(features), labels), **readout.details}
