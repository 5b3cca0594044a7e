"""A learner that lasts longer than a run: it learns from images as they arrive.

Here belongs what keeps a learner in a folder between one experience and the next, and
the command ``avalanche-pnr``. How an experience is trained belongs to ``training``,
how features are judged to ``evaluation``.
"""

from avalanche_pnr.learner.learner import Learner

__all__ = ["Learner"]
