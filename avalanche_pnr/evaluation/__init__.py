"""Probes on frozen features, the accuracy matrix and the figures computed from it.

A name is imported from its module when it is first used: reading the results of a
run imports neither networks nor their libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from avalanche_pnr.evaluation.accuracy_matrix import (
    average_accuracy,
    average_incremental_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    plasticity,
    stability,
)
from avalanche_pnr.evaluation.records import accuracy_matrix, read_records

if TYPE_CHECKING:
    from avalanche_pnr.evaluation.downstream import DownstreamPlugin
    from avalanche_pnr.evaluation.features import (
        extract_features,
        extract_stream,
        extract_unlabelled,
    )
    from avalanche_pnr.evaluation.functional import accuracy, probe_accuracy
    from avalanche_pnr.evaluation.json_lines import JSONLinesLogger
    from avalanche_pnr.evaluation.metrics import PluginValues, ssl_metrics
    from avalanche_pnr.evaluation.mlflow_logger import MLflowLogger
    from avalanche_pnr.evaluation.plugin import ProbePlugin
    from avalanche_pnr.evaluation.probes import (
        ConvexProbe,
        FeatureProbe,
        KNNProbe,
        LinearProbe,
        NearestMeanProbe,
        OnlineProbe,
        Probe,
        ProbeData,
        PublishedProbe,
        Readout,
        SemiSupervisedProbe,
    )
    from avalanche_pnr.evaluation.representation import (
        alignment,
        effective_rank,
        linear_cka,
        uniformity,
    )
    from avalanche_pnr.evaluation.representation_plugin import RepresentationPlugin
    from avalanche_pnr.evaluation.wandb_logger import WandBLogger

__all__ = [
    "ConvexProbe",
    "DownstreamPlugin",
    "FeatureProbe",
    "JSONLinesLogger",
    "KNNProbe",
    "LinearProbe",
    "MLflowLogger",
    "NearestMeanProbe",
    "OnlineProbe",
    "PluginValues",
    "Probe",
    "ProbeData",
    "ProbePlugin",
    "PublishedProbe",
    "Readout",
    "RepresentationPlugin",
    "SemiSupervisedProbe",
    "WandBLogger",
    "accuracy",
    "accuracy_matrix",
    "alignment",
    "average_accuracy",
    "average_incremental_accuracy",
    "backward_transfer",
    "effective_rank",
    "extract_features",
    "extract_stream",
    "extract_unlabelled",
    "forgetting",
    "forward_transfer",
    "linear_cka",
    "plasticity",
    "probe_accuracy",
    "read_records",
    "ssl_metrics",
    "stability",
    "uniformity",
]

_MODULES = {
    "downstream": """
        DownstreamPlugin
    """,
    "features": """
        extract_features extract_stream extract_unlabelled
    """,
    "functional": """
        accuracy probe_accuracy
    """,
    "json_lines": """
        JSONLinesLogger
    """,
    "metrics": """
        PluginValues ssl_metrics
    """,
    "mlflow_logger": """
        MLflowLogger
    """,
    "plugin": """
        ProbePlugin
    """,
    "probes": """
        ConvexProbe FeatureProbe KNNProbe LinearProbe NearestMeanProbe
        OnlineProbe Probe ProbeData PublishedProbe Readout SemiSupervisedProbe
    """,
    "representation": """
        alignment effective_rank linear_cka uniformity
    """,
    "representation_plugin": """
        RepresentationPlugin
    """,
    "wandb_logger": """
        WandBLogger
    """,
}
"""Module that defines each public name."""

_MODULE_OF = {
    name: module for module, names in _MODULES.items() for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
