"""Logger for MLflow."""

import os
from collections.abc import Mapping
from numbers import Real
from typing import Any

from avalanche.logging import BaseLogger


class MLflowLogger(BaseLogger):
    """Avalanche logger that writes metric values to MLflow.

    Every number is logged under its full name at the training iteration it belongs to;
    values of other kinds, such as figures, are left out. Each logger is a run of its
    own, several in one process included.

    Unless the environment variable ``MLFLOW_DISABLE_TELEMETRY`` is set, nothing about
    its use is reported to the makers of MLflow.

    Args:
        experiment_name: MLflow's experiment, made if there is none of that name.
        run_name: Name of the run; by default MLflow makes one up.
        tracking_uri: Where the run is kept: an SQLite file, ``"runs/mlflow.db"``, or
            the address of a server; by default where MLflow is set to keep runs.
        params: Hyperparameters to keep with the run.

    Attributes:
        run_id: MLflow's name of the run.

    Raises:
        ModuleNotFoundError: If MLflow is not installed.
    """

    def __init__(
        self,
        experiment_name: str = "avalanche_pnr",
        run_name: str | None = None,
        *,
        tracking_uri: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if tracking_uri is not None and ":" not in tracking_uri:
            tracking_uri = f"sqlite:///{tracking_uri}"
        self._tracking_uri = tracking_uri
        self._connect()
        experiment = self._client.get_experiment_by_name(experiment_name)
        if experiment is None:
            experiment_id = self._client.create_experiment(experiment_name)
        else:
            experiment_id = experiment.experiment_id
        run = self._client.create_run(experiment_id, run_name=run_name)
        self.run_id: str = run.info.run_id
        for name, value in (params or {}).items():
            self._client.log_param(self.run_id, name, value)

    def _connect(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow import MlflowClient
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "MLflowLogger needs mlflow: pip install 'avalanche-pnr[mlflow]'"
            ) from error
        self._client = MlflowClient(tracking_uri=self._tracking_uri)

    def log_single_metric(self, name: str, value: Any, x_plot: int) -> None:
        """Log a number.

        Args:
            name: Full name of the metric.
            value: The value; other kinds than numbers are left out.
            x_plot: Training iteration.
        """
        if isinstance(value, Real):
            self._client.log_metric(self.run_id, name, float(value), step=x_plot)

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self.run_id)

    def __getstate__(self) -> dict[str, Any]:
        """The run, which is continued."""
        return {"_tracking_uri": self._tracking_uri, "run_id": self.run_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._connect()
        self._client.update_run(self.run_id, status="RUNNING")
