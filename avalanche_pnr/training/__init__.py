"""The strategy: the training loop, what it holds, and its optimizer.

Methods, plugins and losses do not belong here: they know nothing about the strategy.
"""

from avalanche_pnr.training.evaluator import default_evaluator
from avalanche_pnr.training.lars import LARS
from avalanche_pnr.training.strategies import (
    DER,
    EWC,
    LUMP,
    PFR,
    PNR,
    CaSSLe,
    CroMoMixup,
    Finetune,
    LessForget,
    Osiris,
)
from avalanche_pnr.training.strategy import SelfSupervised

__all__ = [
    "DER",
    "EWC",
    "LARS",
    "LUMP",
    "PFR",
    "PNR",
    "CaSSLe",
    "CroMoMixup",
    "Finetune",
    "LessForget",
    "Osiris",
    "SelfSupervised",
    "default_evaluator",
]
