"""Plugins beside each other: which work, in which order, and what they require.

``docs/compatibility.md`` lists what works, and what is incompatible.
"""

from avalanche_pnr.training.compatibility.plugin_compatibility import (
    PluginCompatibility,
)

__all__ = ["PluginCompatibility"]
