"""Continual-learning methods, one a file, and the learning-rate schedule."""

from avalanche_pnr.plugins.cassle import CaSSLePlugin
from avalanche_pnr.plugins.cromo_mixup import CroMoMixupPlugin
from avalanche_pnr.plugins.der import DERPlugin
from avalanche_pnr.plugins.distillation import DistillationPlugin, predict_past
from avalanche_pnr.plugins.ewc import EWCPlugin
from avalanche_pnr.plugins.less_forget import LessForgetPlugin
from avalanche_pnr.plugins.lump import LUMPPlugin
from avalanche_pnr.plugins.memory_plugin import MemoryPlugin
from avalanche_pnr.plugins.osiris import OsirisPlugin
from avalanche_pnr.plugins.past import PastModelPlugin
from avalanche_pnr.plugins.pfr import PFRPlugin
from avalanche_pnr.plugins.pnr import PNRPlugin
from avalanche_pnr.plugins.schedule import WarmupCosinePlugin

__all__ = [
    "CaSSLePlugin",
    "CroMoMixupPlugin",
    "DERPlugin",
    "DistillationPlugin",
    "EWCPlugin",
    "LUMPPlugin",
    "LessForgetPlugin",
    "MemoryPlugin",
    "OsirisPlugin",
    "PFRPlugin",
    "PNRPlugin",
    "PastModelPlugin",
    "WarmupCosinePlugin",
    "predict_past",
]
