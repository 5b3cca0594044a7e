"""Two views of an image, or another input, stacked."""

from collections.abc import Callable
from typing import Any

import torch
from lightly.transforms.multi_view_transform import MultiViewTransform
from torch import Tensor

ViewTransform = Callable[[Any], Tensor]


class TwoViews(MultiViewTransform):
    """Draw two random views of an input and stack them, for images (2, C, H, W).

    lightly returns a list of views; Avalanche, whose samples are tuples, needs one
    tensor.

    Args:
        first: Random transform from a PIL image to a tensor (C, H, W), or from another
            input to a tensor of any shape and dtype.
        second: Transform for the other view, by default the same.
    """

    def __init__(self, first: ViewTransform, second: ViewTransform | None = None):
        super().__init__([first, second or first])

    def __call__(self, image: Any) -> Tensor:
        """Draw the views of one input, (2, ...)."""
        return torch.stack(super().__call__(image))
