"""From images to stacked views."""

from avalanche_pnr.transforms.photographs import (
    cropped_view,
    photograph_views,
    plain_view,
)
from avalanche_pnr.transforms.two_views import TwoViews, ViewTransform

__all__ = [
    "TwoViews",
    "ViewTransform",
    "cropped_view",
    "photograph_views",
    "plain_view",
]
