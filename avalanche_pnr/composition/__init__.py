"""Plugins beside each other: which work, in which order, and what they need.

``docs/composition.md`` lists what works, and what is refused.
"""

from avalanche_pnr.composition.companions import Companions

__all__ = ["Companions"]
