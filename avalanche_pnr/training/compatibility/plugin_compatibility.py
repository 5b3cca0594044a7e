"""Checks and orders the plugins of a strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avalanche_pnr.training.compatibility.incompatible import check_compatible
from avalanche_pnr.training.compatibility.order import put_in_order
from avalanche_pnr.training.compatibility.requirements import (
    REQUIREMENTS,
    check_requirements,
)
from avalanche_pnr.training.compatibility.stream_requirements import (
    STREAM_REQUIREMENTS,
    check_memory_batches,
)

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


class PluginCompatibility:
    """Refuses plugins that cannot work, and puts the others in order.

    Plugins may also be appended to ``strategy.plugins``; they are checked when the next
    training begins.
    """

    def __init__(self) -> None:
        self._checked: list[Any] = []

    def check_plugins(self, strategy: SelfSupervised) -> None:
        """Check the plugins and put them in order, if they have changed.

        Args:
            strategy: Strategy with the plugins.

        Raises:
            TypeError: If one is a class, or made for classifiers.
            ValueError: If two do the same thing, or one lacks what it requires.
        """
        if strategy.plugins != self._checked:
            check_compatible(strategy.plugins)
            check_requirements(REQUIREMENTS, strategy)
            put_in_order(strategy)
            self._checked = list(strategy.plugins)

    def check_stream(self, strategy: SelfSupervised) -> None:
        """Refuse plugins that lack something in the present experience's stream.

        Raises:
            ValueError: If one does, with the plugin, what it lacks and a remedy.
        """
        check_requirements(STREAM_REQUIREMENTS, strategy)

    def check_memories(self, strategy: SelfSupervised) -> None:
        """Refuse replay memories that are smaller than a batch.

        Raises:
            ValueError: If one is, with the sizes and a remedy.
        """
        check_memory_batches(strategy)
