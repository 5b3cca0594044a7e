"""Mixup: linear interpolation of images."""

from torch import Tensor


def mixup(current: Tensor, remembered: Tensor, share: Tensor | float) -> Tensor:
    """Interpolate images linearly, lambda x + (1 - lambda) x_M.

    Args:
        current: Images or views x, any shape.
        remembered: Images or views x_M to mix in, of the same shape.
        share: lambda, between 0 and 1.

    Source: Zhang et al. 2018, arXiv 1710.09412; Madaan et al. 2022,
    arXiv 2110.06976, where x_M are drawn from a memory of the past.
    """
    return share * current + (1 - share) * remembered
