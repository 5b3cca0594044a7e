"""The strategy and its optimizer."""

from avalanche_pnr.training.evaluator import default_evaluator
from avalanche_pnr.training.lars import LARS
from avalanche_pnr.training.self_supervised import SelfSupervised

__all__ = ["LARS", "SelfSupervised", "default_evaluator"]
