"""Probes: classifiers on frozen features, which measure a representation."""

from avalanche_pnr.evaluation.probes.base import FeatureProbe, Probe, Readout
from avalanche_pnr.evaluation.probes.convex import ConvexProbe
from avalanche_pnr.evaluation.probes.data import ProbeData
from avalanche_pnr.evaluation.probes.knn import KNNProbe
from avalanche_pnr.evaluation.probes.linear import LinearProbe
from avalanche_pnr.evaluation.probes.nearest_mean import NearestMeanProbe
from avalanche_pnr.evaluation.probes.online import OnlineProbe
from avalanche_pnr.evaluation.probes.published import PublishedProbe
from avalanche_pnr.evaluation.probes.semi_supervised import SemiSupervisedProbe

__all__ = [
    "ConvexProbe",
    "FeatureProbe",
    "KNNProbe",
    "LinearProbe",
    "NearestMeanProbe",
    "OnlineProbe",
    "Probe",
    "ProbeData",
    "PublishedProbe",
    "Readout",
    "SemiSupervisedProbe",
]
