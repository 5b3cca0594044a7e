"""Losses of random batches: finite, differentiable, blind to the batch's order."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr import PNRPlugin
from avalanche_pnr.plugins import predict_past
from tests.conftest import METHODS
from tests.golden_cases import LOSSES, Inputs

PER_IMAGE = ("z1", "z2", "p1", "p2", "f1", "f2", "h1", "h2", "k1", "k2")
QUEUES = ("queue", "pseudo_queue")


def make_inputs(
    images: int, dim: int, keys: int, tau: float, dtype: torch.dtype, seed: int
) -> Inputs:
    """Random embeddings of a batch, of very different lengths."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tensors = {name: 10 * draw(1) * draw(images, dim) for name in PER_IMAGE}
    for name in ("k1", "k2"):
        tensors[name] = normalize(tensors[name], dim=1)
    for name in QUEUES:
        tensors[name] = normalize(draw(2, dim, keys), dim=1)
    tensors = {name: value.to(dtype) for name, value in tensors.items()}
    return Inputs(tensors, tau, 2 * tau, lambda_pnr=0.7)


batches = st.builds(
    make_inputs,
    images=st.integers(2, 9),
    dim=st.integers(1, 12),
    keys=st.integers(1, 33),
    tau=st.floats(0.05, 2),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 2**32 - 1),
)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
@given(inputs=batches)
def test_losses_and_gradients_are_finite(
    loss: Callable[[Inputs], Tensor], inputs: Inputs
) -> None:
    trained = [
        value.requires_grad_()
        for name, value in inputs.tensors.items()
        if name[0] in "zph" and name not in QUEUES
    ]
    value = loss(inputs)
    assert value.shape == ()
    assert value.isfinite()
    gradients = torch.autograd.grad(value, trained, allow_unused=True)
    given_back = [each for each in gradients if each is not None]
    assert given_back
    assert all(each.isfinite().all() for each in given_back)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
@given(inputs=batches, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_a_batch_and_of_a_queue_is_of_no_effect(
    loss: Callable[[Inputs], Tensor], inputs: Inputs, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    doubles = {name: value.double() for name, value in inputs.tensors.items()}
    images = torch.randperm(len(doubles["z1"]), generator=generator)
    keys = torch.randperm(doubles["queue"].shape[2], generator=generator)
    shuffled = {
        name: value[..., keys] if name in QUEUES else value[images]
        for name, value in doubles.items()
    }
    scales = inputs.tau, inputs.distill_tau, inputs.lambda_pnr
    expected, value = loss(Inputs(doubles, *scales)), loss(Inputs(shuffled, *scales))
    assert value.item() == pytest.approx(expected.item(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", METHODS)
@given(
    images=st.integers(2, 6),
    size=st.sampled_from([3, 5, 8]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    seed=st.integers(0, 2**32 - 1),
)
def test_methods_learn_from_batches_of_any_size_and_precision(
    name: str, images: int, size: int, dtype: torch.dtype, seed: int
) -> None:
    torch.manual_seed(seed)
    method = METHODS[name]().to(dtype)
    PNRPlugin(predictor_hidden_dim=4).add_heads(method)
    views = torch.rand(images, 2, 3, size, size, dtype=dtype)
    output, past = method(views), torch.randn(images, 2, method.projection_dim)
    past = past.to(dtype)
    loss = method.pnr_ssl_loss(output, past)
    loss = loss + method.pnr_distill_loss(output, predict_past(method, output), past)
    loss.backward()
    assert loss.dtype == dtype
    assert all(
        each.grad is None or each.grad.isfinite().all() for each in method.parameters()
    )
    method.enqueue_past(past)
    method.after_step(output.detach(), step=0, total_steps=1)
    assert all(value.isfinite().all() for value in method.state_dict().values())
