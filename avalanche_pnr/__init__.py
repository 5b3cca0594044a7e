"""Continual self-supervised learning as an extension of Avalanche."""

from avalanche_pnr.backbones import (
    resnet18,
    resnet34,
    resnet50,
    resnet_small,
    vit_tiny,
)
from avalanche_pnr.benchmarks import (
    ImageData,
    class_incremental,
    data_incremental,
    domain_incremental,
    load_cifar10,
    load_cifar100,
    load_digits,
    load_domainnet,
    load_imagenet100,
    load_npz,
)
from avalanche_pnr.evaluation import (
    KNNProbe,
    LinearProbe,
    ProbePlugin,
    SGDProbe,
    probe_metrics,
)
from avalanche_pnr.methods import (
    BYOL,
    BarlowTwins,
    MoCoV2Plus,
    PastModel,
    SelfSupervisedMethod,
    SimCLR,
    VICReg,
    infer_feature_dim,
)
from avalanche_pnr.plugins import CaSSLePlugin, PNRPlugin, WarmupCosinePlugin
from avalanche_pnr.training import LARS, SelfSupervised
from avalanche_pnr.transforms import TwoViews, photograph_views, plain_view

__version__ = "0.1.0"

__all__ = [
    "BYOL",
    "LARS",
    "BarlowTwins",
    "CaSSLePlugin",
    "ImageData",
    "KNNProbe",
    "LinearProbe",
    "MoCoV2Plus",
    "PNRPlugin",
    "PastModel",
    "ProbePlugin",
    "SGDProbe",
    "SelfSupervised",
    "SelfSupervisedMethod",
    "SimCLR",
    "TwoViews",
    "VICReg",
    "WarmupCosinePlugin",
    "class_incremental",
    "data_incremental",
    "domain_incremental",
    "infer_feature_dim",
    "load_cifar10",
    "load_cifar100",
    "load_digits",
    "load_domainnet",
    "load_imagenet100",
    "load_npz",
    "photograph_views",
    "plain_view",
    "probe_metrics",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet_small",
    "vit_tiny",
]
