"""Networks, losses and queues on tensors that say they are on a GPU.

Without a GPU there is no backward pass; tests/device/test_meta.py has it.
"""

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from avalanche_pnr import (
    CaSSLePlugin,
    ContinualLoss,
    LessForgetPlugin,
    PFRPlugin,
    PNRPlugin,
    Precision,
    make_ssl_transform,
)
from tests.conftest import METHODS, tiny_moco

PLUGINS: dict[str, Any] = {
    "cassle": lambda: CaSSLePlugin(predictor_hidden_dim=8),
    "pnr": lambda: PNRPlugin(predictor_hidden_dim=8),
    "pfr": lambda: PFRPlugin(hidden_dim=8),
    "less_forget": LessForgetPlugin,
}


def asks_for_a_driver() -> bool:
    """Whether this PyTorch needs a driver for fake tensors, too, as 2.6 does."""
    try:
        with FakeTensorMode(), torch.device("cuda"):
            torch.nn.Linear(2, 2)
    except (RuntimeError, AssertionError) as error:  # with CUDA, and without
        return "driver" in str(error) or "not compiled" in str(error)
    return False


pytestmark = pytest.mark.skipif(
    asks_for_a_driver(), reason="this PyTorch asks a driver about fake tensors"
)


@pytest.fixture(autouse=True)
def fakes_as_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks of fake tensors be copied, with their mode, and not be moved."""
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, *to, **how: module)
    monkeypatch.setattr(
        FakeTensorMode, "__deepcopy__", lambda mode, memo: mode, raising=False
    )


class Agent:
    def __init__(self, model: Any) -> None:
        self.model = model


def copies_to_the_host(tensor: torch.Tensor) -> None:
    raise AssertionError("a step copies to the host")


@pytest.mark.parametrize(
    "precision",
    [
        Precision(),
        Precision("bfloat16"),
        Precision("float16", channels_last=True),
    ],
    ids=lambda precision: precision.dtype,
)
@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("method", METHODS)
def test_losses_are_computed_on_the_gpu(
    method: str, plugin: str, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.Tensor, "cpu", copies_to_the_host)
    with FakeTensorMode(), torch.device("cuda"):
        agent = Agent(METHODS[method]())
        agent.model.precision = precision
        views = torch.rand(6, 2, 3, 8, 8)
        loss = ContinualLoss(PLUGINS[plugin]())
        for _ in range(2):
            loss.pre_adapt(agent)
            for step in range(2):
                value = loss(views)
                assert value.device.type == "cuda"
                assert value.dtype == torch.float32
                assert value.requires_grad
                loss.after_step(step, 2)
            loss.post_adapt(agent)
        for tensor in agent.model.state_dict().values():
            assert tensor.device.type == "cuda"


def test_a_tensor_elsewhere_is_seen() -> None:
    with FakeTensorMode():
        with torch.device("cuda"):
            method = tiny_moco()
        with pytest.raises(RuntimeError, match="device"):
            method(torch.rand(6, 2, 3, 8, 8))


def test_steps_of_views_without_chance_stay_on_the_gpu() -> None:
    views = make_ssl_transform(
        8, batched=True, mean=(0.5,) * 3, std=(0.2,) * 3, jitter_probability=0.0
    )
    with FakeTensorMode(), torch.device("cuda"):
        normalize = views.first[-1]
        assert normalize(torch.rand(4, 3, 8, 8)).device.type == "cuda"
