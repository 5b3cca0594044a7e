"""What torch.compile makes of networks and losses, on the CPU: one graph of each."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from avalanche_pnr import resnet18, resnet_small
from avalanche_pnr.methods import SelfSupervisedMethod
from tests.conftest import METHODS, VIEWS


def one_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Traced whole, forward and backward, and run without a compiler of C++."""
    torch._dynamo.reset()
    return torch.compile(function, fullgraph=True, backend="aot_eager")


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "network", [lambda: resnet_small(16), lambda: resnet18()], ids=["small", "18"]
)
def test_backbones_are_one_graph(network: Callable[[], nn.Module]) -> None:
    backbone, images = network().eval(), torch.rand(2, 3, 16, 16)
    close(one_graph(backbone)(images), backbone(images))


@pytest.mark.parametrize("name", METHODS)
def test_projectors_and_losses_are_one_graph_each(name: str) -> None:
    torch.manual_seed(0)
    method: SelfSupervisedMethod = METHODS[name]()
    features = method.backbone(VIEWS[:, 0]).detach()
    close(one_graph(method.projector)(features), method.projector(features))
    output = method(VIEWS).detach()
    gradients = []
    for loss in (method.loss, one_graph(method.loss)):
        given = output.clone().requires_grad_()
        value = loss(given)
        value.backward()
        gradients.append((value.detach(), given.grad))
    for actual, expected in zip(gradients[1], gradients[0], strict=True):
        close(actual, expected)
