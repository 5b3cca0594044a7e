"""Continual self-supervised learning as an extension of Avalanche."""

from avalanche_pnr.backbones import resnet18, resnet_small
from avalanche_pnr.benchmarks import (
    ImageData,
    class_incremental,
    load_cifar10,
    load_cifar100,
    load_digits,
    load_npz,
)
from avalanche_pnr.evaluation import KNNProbe, LinearProbe, ProbePlugin, probe_metrics
from avalanche_pnr.methods import (
    MoCoV2Plus,
    PastModel,
    SelfSupervisedMethod,
    SimCLR,
    infer_feature_dim,
)
from avalanche_pnr.plugins import CaSSLePlugin, PNRPlugin, WarmupCosinePlugin
from avalanche_pnr.training import LARS, SelfSupervised
from avalanche_pnr.transforms import TwoViews

__version__ = "0.1.0"

__all__ = [
    "LARS",
    "CaSSLePlugin",
    "ImageData",
    "KNNProbe",
    "LinearProbe",
    "MoCoV2Plus",
    "PNRPlugin",
    "PastModel",
    "ProbePlugin",
    "SelfSupervised",
    "SelfSupervisedMethod",
    "SimCLR",
    "TwoViews",
    "WarmupCosinePlugin",
    "class_incremental",
    "infer_feature_dim",
    "load_cifar10",
    "load_cifar100",
    "load_digits",
    "load_npz",
    "probe_metrics",
    "resnet18",
    "resnet_small",
]
