"""Several processes compute what one computes of their batches together."""

from typing import Any
from unittest.mock import patch

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from avalanche_pnr import CaSSLePlugin, PNRPlugin, SelfSupervised
from avalanche_pnr.distributed.collectives import gather_rows, rank, world_size
from avalanche_pnr.training.distributed_forward import (
    DistributedForward,
    synchronise_batchnorm,
)
from tests.conftest import METHODS, benchmark_of_views
from tests.distributed.processes import together

REGULARIZERS: dict[str, list[type]] = {
    "finetune": [],
    "cassle": [CaSSLePlugin],
    "pnr": [PNRPlugin],
}
CELLS = [(method, name) for method in METHODS for name in REGULARIZERS]
BATCH = 12


class Losses(SupervisedPlugin, supports_distributed=True):
    """Keeps the loss of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def after_update(self, strategy: Any, **kwargs: Any) -> None:
        self.values.append(strategy.loss.item())


def without_batchnorm(module: nn.Module) -> nn.Module:
    """Replace BatchNorm by a norm that sees one image alone."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            norm = nn.GroupNorm(1, child.num_features, affine=child.affine)
            trained = all(param.requires_grad for param in child.parameters())
            setattr(module, name, norm.requires_grad_(trained))
        else:
            without_batchnorm(child)
    return module


def stream() -> CLScenario:
    """Three experiences of one, five and two batches."""
    generator = torch.Generator().manual_seed(0)
    views = torch.rand(8 * BATCH, 2, 3, 8, 8, generator=generator)
    return benchmark_of_views(*views.double().split([BATCH, 5 * BATCH, 2 * BATCH]))


def train(method: str, regularizer: str) -> tuple[list[float], dict[str, Tensor]]:
    """Losses of all steps, and all parameters and queues at the end."""
    torch.manual_seed(0)
    options = {"past_queue_start": "filled"} if method == "moco" else {}
    model: Any = without_batchnorm(METHODS[method](**options)).double()
    losses = Losses()
    strategy = SelfSupervised(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        train_mb_size=BATCH,
        plugins=[
            *(make(predictor_hidden_dim=16) for make in REGULARIZERS[regularizer]),
            losses,
        ],
        evaluator=None,
    )
    for experience in stream().train_stream:
        strategy.train(experience)
    return losses.values, model.state_dict()


def train_cells() -> list[tuple[list[float], dict[str, Tensor]]]:
    return [train(*cell) for cell in CELLS]


@pytest.fixture(scope="module")
def alone() -> list[Any]:
    return train_cells()


@pytest.fixture(scope="module", params=[2, 3])
def several(request: pytest.FixtureRequest) -> list[Any]:
    """What all processes have found, by process and cell."""
    return together(request.param, train_cells)


@pytest.mark.parametrize("cell", range(len(CELLS)), ids=map("-".join, CELLS))
def test_processes_train_as_one_with_their_batches_together(
    alone: list[Any], several: list[Any], cell: int
) -> None:
    losses, state = alone[cell]
    assert len(losses) == 8
    for each in several:
        found_losses, found_state = each[cell]
        assert found_losses == pytest.approx(losses, rel=1e-6)  # Avalanche's, float32
        torch.testing.assert_close(found_state, state, rtol=1e-8, atol=1e-11)


def test_networks_and_queues_are_the_same_everywhere(several: list[Any]) -> None:
    for cells in zip(*several, strict=True):
        (_, first), *others = cells
        for _, other in others:
            assert all(torch.equal(first[name], other[name]) for name in first)


def train_without_gathering() -> list[Any]:
    """What becomes of each cell; an error where processes drift apart."""
    found: list[Any] = []
    with patch.object(DistributedForward, "gather", lambda self, rows: rows):
        for cell in CELLS:
            try:
                found.append(train(*cell))
            except RuntimeError as error:
                found.append(error)
    return found


def test_without_gathering_it_is_something_else(alone: list[Any]) -> None:
    found = together(2, train_without_gathering)[0]
    for cell, each, (losses, state) in zip(CELLS, found, alone, strict=True):
        if cell[0] == "moco":  # each process has queues of its own
            assert "no longer the same" in str(each)
            continue
        assert each[0] != pytest.approx(losses, rel=1e-6), cell
        if cell[0] != "byol":  # whose loss is a mean over images
            with pytest.raises(AssertionError):
                torch.testing.assert_close(each[1], state, rtol=1e-5, atol=1e-8)


def normalised_over_processes(images: Tensor) -> tuple[Tensor, Tensor]:
    """Output and weight gradient of a BatchNorm that sees a part of the images."""
    device = torch.device("cuda")
    layer = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(device)
    nn.init.constant_(layer[0].weight, 0.1)
    synchronise_batchnorm(layer, device)
    output = layer(images.to(device).chunk(world_size())[rank()])
    whole = gather_rows(output)
    whole.square().sum().div(world_size()).backward()  # all parts are summed
    gradient = layer[1].weight.grad
    if world_size() > 1:
        torch.distributed.all_reduce(gradient)
    return whole.detach().cpu(), gradient.cpu()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_synchronised_batchnorm_sees_the_whole_batch() -> None:
    """On one GPU, with gloo: NCCL wants a GPU for each process."""
    images = torch.rand(8, 3, 8, 8)
    args = normalised_over_processes, images
    (alone,) = together(1, *args, start="spawn")
    for found in together(2, *args, start="spawn"):
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


def test_synchronised_batchnorm_is_refused_on_the_cpu() -> None:
    with pytest.raises(ValueError, match="sync_batchnorm needs GPUs"):
        synchronise_batchnorm(nn.BatchNorm1d(3), torch.device("cpu"))
