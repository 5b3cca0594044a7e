"""Probes on frozen features, the accuracy matrix and what follows from it."""

from avalanche_pnr.evaluation.accuracy_matrix import (
    average_accuracy,
    average_incremental_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    plasticity,
    stability,
)
from avalanche_pnr.evaluation.downstream import DownstreamPlugin
from avalanche_pnr.evaluation.features import (
    extract_features,
    extract_stream,
    extract_unlabelled,
)
from avalanche_pnr.evaluation.functional import accuracy, probe_accuracy
from avalanche_pnr.evaluation.json_lines import JSONLinesLogger
from avalanche_pnr.evaluation.metrics import PluginValues, ssl_metrics
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
from avalanche_pnr.evaluation.records import accuracy_matrix, read_records
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
