"""Compatibility of plugins: which work, in which order, and what they require.

``docs/compatibility.md`` lists compatible and incompatible plugins.
"""

from avalanche_pnr.training.compatibility.plugin_compatibility import (
    PluginCompatibility,
)

__all__ = ["PluginCompatibility"]
