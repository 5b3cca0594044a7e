"""The order of plugins, whatever the order in which they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    GDumbPlugin,
    GEMPlugin,
    MASPlugin,
    MIRPlugin,
    ReplayPlugin,
    RWalkPlugin,
    SynapticIntelligencePlugin,
)
from avalanche.training.templates.base_sgd import PeriodicEval

from avalanche_pnr.plugins import MemoryPlugin, PastModelPlugin

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised

ORDER: tuple[type, ...] = (
    PastModelPlugin,  # the past is taken before others pass over the experience again
    EWCPlugin,
    MASPlugin,
    SynapticIntelligencePlugin,
    RWalkPlugin,
    MemoryPlugin,  # its draws come from the generator that others draw from
    MIRPlugin,  # looks ahead along the gradient of the whole loss so far
    AGEMPlugin,
    GEMPlugin,  # its constraints hold for the step that is made
    GDumbPlugin,
    ReplayPlugin,
)
"""Order of plugins: terms of the loss, projections of its gradient, memories."""


def put_in_order(strategy: SelfSupervised) -> None:
    """Sort plugins, so that results do not depend on the order they were given in.

    Plugins in ``ORDER`` share their places in that order; all others keep theirs.
    The evaluator, periodic evaluation and the clock come last, though plugins may have
    been appended to ``strategy.plugins``.

    Args:
        strategy: Strategy with the plugins.
    """
    periodic = [each for each in strategy.plugins if isinstance(each, PeriodicEval)]
    last = [strategy.evaluator, *periodic, strategy.clock]
    first = [each for each in strategy.plugins if each not in last]
    known = iter(sorted((each for each in first if isinstance(each, ORDER)), key=_rank))
    strategy.plugins[:] = [
        *(next(known) if isinstance(each, ORDER) else each for each in first),
        *last,
    ]


def _rank(plugin: Any) -> tuple[int, str]:
    rank = next(k for k, kind in enumerate(ORDER) if isinstance(plugin, kind))
    return rank, type(plugin).__name__
