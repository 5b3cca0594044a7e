"""Continual-learning methods, one a file, and aids of training."""

from avalanche_pnr.plugins.cassle import CaSSLePlugin
from avalanche_pnr.plugins.past import PastModelPlugin
from avalanche_pnr.plugins.pnr import PNRPlugin
from avalanche_pnr.plugins.schedule import WarmupCosinePlugin

__all__ = ["CaSSLePlugin", "PNRPlugin", "PastModelPlugin", "WarmupCosinePlugin"]
