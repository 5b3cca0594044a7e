"""Images that tell where they come from, and a watch over what becomes of them."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr import SelfSupervised
from tests.conftest import benchmark_of_views

PIXELS = 64
SECOND_VIEW = 0.5


def marked_stream(
    experiences: int = 3, images: int = 16, pixels: int = PIXELS
) -> CLScenario:
    """Images with one white pixel each, of their own; grey in the second view."""
    single = torch.eye(pixels).view(pixels, 1, 1, 8, pixels // 8)
    views = single.expand(-1, -1, 3, -1, -1)
    views = torch.cat([views, SECOND_VIEW * views], dim=1)
    return benchmark_of_views(*views.split(images)[:experiences])


def shares(views: Tensor) -> Tensor:
    """How much of each image of a stream is in each of a batch, (N, pixels)."""
    first, second = views[:, 0].flatten(2), views[:, 1].flatten(2)
    assert torch.allclose(SECOND_VIEW * first, second)
    assert (first == first[:, :1]).all()
    return first[:, 0]


@contextmanager
def double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


class Recorder(SupervisedPlugin):
    """Copies networks and batches, and compares the loss with an equation.

    A subclass defines :meth:`expected`. It stands last among the plugins.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[nn.Module] = []
        self.compared = 0

    def expected(self, strategy: SelfSupervised) -> Tensor:
        """The loss, computed anew from ``self.method``."""
        raise NotImplementedError

    def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.method = copy.deepcopy(strategy.model)

    def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if self.ended:
            expected = self.expected(strategy).item()
            assert strategy.loss.item() == pytest.approx(expected, rel=1e-9)
            self.compared += 1

    def after_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.ended.append(copy.deepcopy(strategy.model).eval())
