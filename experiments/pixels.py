"""Pixels as features, a reference that learnt features must beat."""

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from experiments.constants import RAW_SIDE


class Pixels(nn.Module):
    """Flattens the pixels of an image, (N, C, H, W) to (N, C H' W').

    Images larger than 32 px are reduced to that: a probe of all 150,528 numbers of an
    image of 224 px would take longer than most trainings, and not judge much better.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Flatten images (N, C, H, W) of at most 32 x 32 px, larger ones reduced."""
        height, width = images.shape[-2:]
        size = min(height, RAW_SIDE), min(width, RAW_SIDE)
        return adaptive_avg_pool2d(images, size).flatten(1)
