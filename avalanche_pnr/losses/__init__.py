"""The equations: functions of tensors, without modules, state or Avalanche."""

from avalanche_pnr.losses.barlow_twins import barlow_twins_loss
from avalanche_pnr.losses.byol import byol_distance
from avalanche_pnr.losses.cassle import contrastive_distillation
from avalanche_pnr.losses.info_nce import LossReduction, NegativeSet, info_nce
from avalanche_pnr.losses.mixup import mixup
from avalanche_pnr.losses.moco import moco_distillation, moco_loss
from avalanche_pnr.losses.moco_v3 import moco_v3_distillation, moco_v3_loss
from avalanche_pnr.losses.osiris import cross_task_loss
from avalanche_pnr.losses.simclr import simclr_distillation, simclr_loss
from avalanche_pnr.losses.vicreg import vicreg_loss

__all__ = [
    "LossReduction",
    "NegativeSet",
    "barlow_twins_loss",
    "byol_distance",
    "contrastive_distillation",
    "cross_task_loss",
    "info_nce",
    "mixup",
    "moco_distillation",
    "moco_loss",
    "moco_v3_distillation",
    "moco_v3_loss",
    "simclr_distillation",
    "simclr_loss",
    "vicreg_loss",
]
