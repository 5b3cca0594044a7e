"""Continual self-supervised learning as an extension of Avalanche.

A name is imported from its module when it is first used: losses, methods and backbones
do without Avalanche, which takes longer to import than all the rest.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from avalanche_pnr.version import __version__ as __version__

if TYPE_CHECKING:
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
        load_digits,
        load_domainnet,
        load_folders,
        load_huggingface,
        load_imagenet,
        load_npz,
        load_pacs,
        load_tiny_imagenet,
        load_torchvision,
        load_unlabelled,
        load_webdataset,
        with_multiview,
    )
    from avalanche_pnr.evaluation import (
        ConvexProbe,
        DownstreamPlugin,
        KNNProbe,
        LinearProbe,
        MLflowLogger,
        NearestMeanProbe,
        OnlineProbe,
        ProbePlugin,
        PublishedProbe,
        RepresentationPlugin,
        SemiSupervisedProbe,
        WandBLogger,
        ssl_metrics,
    )
    from avalanche_pnr.learner import Learner
    from avalanche_pnr.methods import (
        BYOL,
        BarlowTwins,
        MoCoV2Plus,
        MoCoV3,
        PastModel,
        SelfSupervisedMethod,
        SimCLR,
        VICReg,
        infer_feature_dim,
    )
    from avalanche_pnr.methods.precision import Precision
    from avalanche_pnr.plugins import (
        CaSSLePlugin,
        CroMoMixupPlugin,
        DERPlugin,
        EWCPlugin,
        LessForgetPlugin,
        LUMPPlugin,
        OsirisPlugin,
        PFRPlugin,
        PNRPlugin,
        WarmupCosinePlugin,
    )
    from avalanche_pnr.training import (
        DER,
        EWC,
        LARS,
        LUMP,
        PFR,
        PNR,
        CaSSLe,
        CroMoMixup,
        Finetune,
        LessForget,
        Osiris,
        SelfSupervised,
    )
    from avalanche_pnr.training.continual_loss import ContinualLoss
    from avalanche_pnr.transforms import (
        BatchedViews,
        TwoViews,
        cropped_view,
        make_eval_transform,
        make_ssl_transform,
    )
    from avalanche_pnr.weights import export_backbone, load_backbone

__all__ = [
    "BYOL",
    "DER",
    "EWC",
    "LARS",
    "LUMP",
    "PFR",
    "PNR",
    "BarlowTwins",
    "BatchedViews",
    "CaSSLe",
    "CaSSLePlugin",
    "ContinualLoss",
    "ConvexProbe",
    "CroMoMixup",
    "CroMoMixupPlugin",
    "DERPlugin",
    "DownstreamPlugin",
    "EWCPlugin",
    "Finetune",
    "ImageData",
    "KNNProbe",
    "LUMPPlugin",
    "Learner",
    "LessForget",
    "LessForgetPlugin",
    "LinearProbe",
    "MLflowLogger",
    "MoCoV2Plus",
    "MoCoV3",
    "NearestMeanProbe",
    "OnlineProbe",
    "Osiris",
    "OsirisPlugin",
    "PFRPlugin",
    "PNRPlugin",
    "PastModel",
    "Precision",
    "ProbePlugin",
    "PublishedProbe",
    "RepresentationPlugin",
    "SelfSupervised",
    "SelfSupervisedMethod",
    "SemiSupervisedProbe",
    "SimCLR",
    "TwoViews",
    "VICReg",
    "WandBLogger",
    "WarmupCosinePlugin",
    "class_incremental",
    "cropped_view",
    "data_incremental",
    "domain_incremental",
    "export_backbone",
    "infer_feature_dim",
    "load_backbone",
    "load_digits",
    "load_domainnet",
    "load_folders",
    "load_huggingface",
    "load_imagenet",
    "load_npz",
    "load_pacs",
    "load_tiny_imagenet",
    "load_torchvision",
    "load_unlabelled",
    "load_webdataset",
    "make_eval_transform",
    "make_ssl_transform",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet_small",
    "ssl_metrics",
    "vit_tiny",
    "with_multiview",
]

# Importing Avalanche warns of this; GEM alone needs a solver, and asks for it.
warnings.filterwarnings("ignore", "no QP solver found", module="qpsolvers")

_MODULES = {
    "backbones": """
        resnet18 resnet34 resnet50 resnet_small vit_tiny
    """,
    "benchmarks": """
        ImageData class_incremental data_incremental domain_incremental
        load_digits load_domainnet load_folders load_huggingface load_imagenet load_npz
        load_pacs load_tiny_imagenet load_torchvision load_unlabelled
        load_webdataset with_multiview
    """,
    "training.continual_loss": """
        ContinualLoss
    """,
    "evaluation": """
        ConvexProbe DownstreamPlugin KNNProbe LinearProbe MLflowLogger
        NearestMeanProbe OnlineProbe ProbePlugin PublishedProbe RepresentationPlugin
        SemiSupervisedProbe WandBLogger ssl_metrics
    """,
    "learner": """
        Learner
    """,
    "methods": """
        BYOL BarlowTwins MoCoV2Plus MoCoV3 PastModel SelfSupervisedMethod SimCLR
        VICReg infer_feature_dim
    """,
    "plugins": """
        CaSSLePlugin CroMoMixupPlugin DERPlugin EWCPlugin LessForgetPlugin
        LUMPPlugin OsirisPlugin PFRPlugin PNRPlugin WarmupCosinePlugin
    """,
    "methods.precision": """
        Precision
    """,
    "training": """
        CaSSLe CroMoMixup DER EWC Finetune LARS LUMP LessForget Osiris PFR PNR
        SelfSupervised
    """,
    "transforms": """
        BatchedViews TwoViews cropped_view make_ssl_transform make_eval_transform
    """,
    "weights": """
        export_backbone load_backbone
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
