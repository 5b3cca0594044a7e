"""What the benchmark of steps compares is the same step."""

import copy

import pytest
import torch

from avalanche_pnr import LARS, PNRPlugin
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from avalanche_pnr.plugins import predict_past
from experiments.measurements.speed import step, straightforward
from experiments.measurements.speed.measure import Setting
from tests.conftest import METHODS, VIEWS


def with_a_past(name: str) -> tuple[SelfSupervisedMethod, PastModel]:
    torch.manual_seed(0)
    method, past_model = METHODS[name]().double(), PastModel()
    PNRPlugin(predictor_hidden_dim=16).add_heads(method)
    past_model.snapshot(METHODS[name]().double())
    return method, past_model


@pytest.mark.parametrize("name", METHODS)
def test_the_rivals_step_is_the_packages_in_another_form(name: str) -> None:
    method, past_model = with_a_past(name)
    other = copy.deepcopy(method)
    ours = LARS(method.parameters(), lr=0.1)
    theirs = straightforward.LARS(other.parameters(), lr=0.1)
    for _ in range(3):
        step.pnr_step(method, past_model, ours, VIEWS.double())
        step.straightforward_step(other, past_model, theirs, VIEWS.double())
    expected = other.state_dict()
    for key, value in method.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_network_passes_are_those_of_a_step(name: str) -> None:
    method, _ = with_a_past(name)
    passes: list[str] = []
    for part, module in method.named_children():
        module.register_forward_hook(lambda *_, part=part: passes.append(part))
    step.network_passes(method, torch.nn.Identity(), VIEWS.double())
    counted = sorted(passes)
    passes.clear()
    predict_past(method, method(VIEWS.double()))
    assert counted == sorted(passes)
    assert all(param.grad is not None for param in method.parameters())


def test_every_method_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "QUICK_BATCH", 4)
    monkeypatch.setattr(step, "METHODS", {"SimCLR": step.METHODS["SimCLR"]})
    table = step.measure(Setting(torch.device("cpu"), quick=True, rounds=1))
    (row,) = table.rows
    assert row["method"] == "SimCLR"
    assert row["step (MiB)"] > 0
