"""A learner that lasts longer than a run: it learns from images as they arrive.

Here belongs what keeps a learner in a folder between one experience and the next, and
the command ``avalanche-pnr``. How an experience is trained belongs to ``training``,
how features are judged to ``evaluation``.

``Learner`` is imported when it is first used: the command's help needs no network.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avalanche_pnr.learner.learner import Learner

__all__ = ["Learner"]


def __getattr__(name: str) -> Any:
    if name != "Learner":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from avalanche_pnr.learner.learner import Learner

    return Learner
