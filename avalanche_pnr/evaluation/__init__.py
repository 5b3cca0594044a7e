"""Probes on frozen features, the accuracy matrix and what follows from it."""

from avalanche_pnr.evaluation.accuracy_matrix import (
    accuracy_matrix,
    average_accuracy,
    forgetting,
    read_records,
)
from avalanche_pnr.evaluation.features import extract_features, extract_stream
from avalanche_pnr.evaluation.functional import accuracy, fit_probes, probe_accuracy
from avalanche_pnr.evaluation.json_lines import JSONLinesLogger
from avalanche_pnr.evaluation.plugin import ProbePlugin, probe_metrics
from avalanche_pnr.evaluation.probes import KNNProbe, LinearProbe, Probe, Readout
from avalanche_pnr.evaluation.sgd_probe import SGDProbe

__all__ = [
    "JSONLinesLogger",
    "KNNProbe",
    "LinearProbe",
    "Probe",
    "ProbePlugin",
    "Readout",
    "SGDProbe",
    "accuracy",
    "accuracy_matrix",
    "average_accuracy",
    "extract_features",
    "extract_stream",
    "fit_probes",
    "forgetting",
    "probe_accuracy",
    "probe_metrics",
    "read_records",
]
