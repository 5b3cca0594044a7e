"""Export and loading of backbone weights, whatever program wrote the file.

States of training belong in ``training`` and ``runs``.
"""

from avalanche_pnr.weights.loading import (
    LoadedWeights,
    export_backbone,
    load_backbone,
)

__all__ = ["LoadedWeights", "export_backbone", "load_backbone"]
