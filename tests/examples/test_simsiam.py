"""A method defined outside the package works with both plugins, and its script runs."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr import CaSSLePlugin, PNRPlugin, SelfSupervised
from tests.conftest import Strategy, tiny_backbone
from tests.examples.scripts import accuracies, load, run

simsiam = load("simsiam")


def cosine(a: Tensor, b: Tensor) -> Tensor:
    cosines: Tensor = (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))
    return cosines


class Recorder(SupervisedPlugin):
    """Copies the networks before each step and computes its loss from them."""

    def __init__(self, lambda_pnr: float) -> None:
        super().__init__()
        self.lambda_pnr = lambda_pnr
        self.past: nn.Module | None = None
        self.compared = 0

    def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.method = copy.deepcopy(strategy.model)

    def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if self.past is not None:
            expected = self.loss(strategy.mb_x)
            assert strategy.loss.item() == pytest.approx(expected, rel=1e-9)
            self.compared += 1

    def after_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        network = nn.Sequential(strategy.model.backbone, strategy.model.projector)
        self.past = copy.deepcopy(network).eval()

    def loss(self, views: Tensor) -> float:
        method, past = self.method, self.past
        assert past is not None
        assert "distillation_predictor" in method.heads
        z, h, p, f = [], [], [], []
        for images in views.unbind(1):
            z.append(method.projector(method.backbone(images)))
            h.append(method.predictor(z[-1]))
            p.append(method.heads["distillation_predictor"](z[-1]))
            f.append(past(images))
        each = -(cosine(h[0], z[1]) + cosine(h[1], z[0])) / 2
        distilled = -(cosine(p[0], f[0]) + cosine(p[1], f[1])) / 2
        pseudo_negative = -(cosine(p[0], f[1]) + cosine(p[1], f[0])) / 2
        return (each + distilled - self.lambda_pnr * pseudo_negative).mean().item()


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("plugin", "weight"), [(CaSSLePlugin, 0.0), (PNRPlugin, 1.0)])
def test_simsiam_trains_three_experiences_on_its_equation(
    plugin: type[CaSSLePlugin | PNRPlugin],
    weight: float,
    benchmark_of_digits: CLScenario,
    make_strategy: Strategy,
) -> None:
    method, recorder = simsiam.SimSiam(tiny_backbone(), dim=16), Recorder(weight)
    plugins = [plugin(predictor_hidden_dim=16), recorder]
    strategy = make_strategy(method, plugins=plugins, train_mb_size=24)
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    assert recorder.compared == 4
    assert method(torch.rand(6, 3, 8, 8)).shape == (6, 8)


def test_simsiam_stops_the_gradient_at_the_target() -> None:
    method = simsiam.SimSiam(tiny_backbone(), dim=16)
    output = method(torch.rand(6, 2, 3, 8, 8)).detach().requires_grad_()
    each = method.loss(output, reduction="none")
    assert each.shape == (6,)
    loss = method.loss(output)
    assert torch.isclose(each.mean(), loss)
    loss.backward()
    z, h = output.grad.chunk(2, dim=-1)
    assert (z == 0).all()
    assert (h != 0).any(dim=-1).all()


@pytest.mark.slow
def test_simsiam_runs_as_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run("simsiam", "--epochs", "1")
    figures = accuracies(capsys.readouterr().out)
    assert len(figures) == 5
    assert all(10 < each <= 100 for each in figures)
