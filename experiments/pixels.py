"""The pixels themselves as features, which learnt ones must beat."""

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from experiments.constants import RAW_SIDE


class Pixels(nn.Module):
    """Pixels of an image in a row, (N, C, H, W) to (N, C H' W').

    Images larger than 32 px are reduced to that: a probe of all 150,528 numbers of an
    image of 224 px would take longer than most trainings, and not judge much better.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Pixels of images (N, C, H, W), at most 32 x 32 of each channel."""
        height, width = images.shape[-2:]
        size = min(height, RAW_SIDE), min(width, RAW_SIDE)
        return adaptive_avg_pool2d(images, size).flatten(1)
