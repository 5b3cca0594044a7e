"""Self-supervised methods, one a file, and the past model they refer to."""

from avalanche_pnr.methods.base import SelfSupervisedMethod, infer_feature_dim
from avalanche_pnr.methods.moco import MoCoV2Plus
from avalanche_pnr.methods.momentum import MomentumMethod
from avalanche_pnr.methods.past_model import PastModel
from avalanche_pnr.methods.queue import Queue
from avalanche_pnr.methods.simclr import SimCLR

__all__ = [
    "MoCoV2Plus",
    "MomentumMethod",
    "PastModel",
    "Queue",
    "SelfSupervisedMethod",
    "SimCLR",
    "infer_feature_dim",
]
