"""Transforms from images to stacked views."""

from avalanche_pnr.transforms.batched import BatchedViews
from avalanche_pnr.transforms.photographs import (
    cropped_view,
    make_eval_transform,
    make_ssl_transform,
)
from avalanche_pnr.transforms.two_views import TwoViews, ViewTransform

ViewsTransform = TwoViews | BatchedViews
"""A transform that makes the two views of a train stream."""

__all__ = [
    "BatchedViews",
    "TwoViews",
    "ViewTransform",
    "ViewsTransform",
    "cropped_view",
    "make_eval_transform",
    "make_ssl_transform",
]
