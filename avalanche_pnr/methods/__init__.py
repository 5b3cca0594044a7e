"""Self-supervised methods, one a file, and the past model they refer to."""

from avalanche_pnr.methods.barlow_twins import BarlowTwins
from avalanche_pnr.methods.base import SelfSupervisedMethod
from avalanche_pnr.methods.byol import BYOL
from avalanche_pnr.methods.dry_run import infer_feature_dim
from avalanche_pnr.methods.moco import MoCoV2Plus
from avalanche_pnr.methods.moco_v3 import MoCoV3
from avalanche_pnr.methods.momentum import MomentumMethod
from avalanche_pnr.methods.past_model import PastModel
from avalanche_pnr.methods.queue import Queue
from avalanche_pnr.methods.simclr import SimCLR
from avalanche_pnr.methods.vicreg import VICReg

__all__ = [
    "BYOL",
    "BarlowTwins",
    "MoCoV2Plus",
    "MoCoV3",
    "MomentumMethod",
    "PastModel",
    "Queue",
    "SelfSupervisedMethod",
    "SimCLR",
    "VICReg",
    "infer_feature_dim",
]
