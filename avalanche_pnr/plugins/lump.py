"""LUMP: mixtures of current and remembered images."""

from typing import Any

import torch
from torch.distributions import Beta

from avalanche_pnr.losses import mixup
from avalanche_pnr.plugins.memory_plugin import MemoryPlugin
from avalanche_pnr.plugins.protocols import Strategy


class LUMPPlugin(MemoryPlugin):
    """L_SSL of lambda x + (1 - lambda) x_M, lambda ~ Beta(alpha, alpha).

    From the second experience on every batch is mixed with remembered images x_M,
    view by view and with one lambda, before anything else sees it: momentum and
    past networks and all other plugins receive the mixtures, and BatchNorm never has
    current and remembered images apart. It adds no heads. Where a batch is
    larger than what is drawn from the memory, remembered images are used again.

    The memory of the authors' code also takes images of the current experience, at
    each step; here they enter it when the experience ends.

    Args:
        alpha: Parameter of the Beta distribution; 0.4 in the authors' configurations.
        mem_size: Largest number of images in the memory; 256 in the authors'
            configurations.

    Raises:
        ValueError: If alpha is not a positive number or the memory holds no image.

    Source: Madaan et al. 2022, arXiv 2110.06976.
    """

    def __init__(self, *, alpha: float = 0.4, mem_size: int = 256) -> None:
        super().__init__(mem_size=mem_size)
        if not 0 < alpha < float("inf"):
            raise ValueError(f"alpha must be above 0 and finite, got {alpha}")
        self.alpha = alpha

    def before_training_iteration(self, strategy: Strategy, **kwargs: Any) -> None:
        """Mix the batch."""
        batch = self.draw(strategy)
        if batch is None:
            return
        remembered, current = batch[0], strategy.mb_x
        rows = torch.arange(len(current), device=current.device) % len(remembered)
        share = Beta(self.alpha, self.alpha).sample().item()
        strategy.mbatch[0] = mixup(current, remembered[rows], share)
