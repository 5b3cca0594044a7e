"""The strategy and its optimizer."""

from avalanche_pnr.training.lars import LARS
from avalanche_pnr.training.self_supervised import SelfSupervised, default_evaluator

__all__ = ["LARS", "SelfSupervised", "default_evaluator"]
