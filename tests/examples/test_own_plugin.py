"""A plugin defined outside the package adds its term, and its script runs."""

from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch.nn.functional import normalize

from avalanche_pnr import PNRPlugin, SelfSupervised
from tests.conftest import Strategy, tiny_byol
from tests.examples.scripts import accuracies, load, run

own_plugin = load("own_plugin")


class Recorder(SupervisedPlugin):
    """Computes the term anew, after the other plugins have added theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.terms: list[tuple[float, float]] = []

    def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if strategy.past_model.network is not None:
            z = strategy.mb_output[..., : strategy.model.projection_dim]
            with torch.no_grad():
                images = strategy.mb_x.unbind(1)
                f = torch.stack([strategy.past_model.network(x) for x in images], 1)
            cosine = (normalize(z, dim=-1) * normalize(f, dim=-1)).sum(dim=-1)
            added = strategy.loss_terms["StayClose"]
            self.terms.append((float(added), 3 * (1 - cosine).mean().item()))


def test_it_adds_its_term_beside_pnr_from_the_second_experience_on(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    recorder = Recorder()
    plugins = [PNRPlugin(), own_plugin.StayClose(weight=3.0), recorder]
    strategy = make_strategy(tiny_byol(), plugins=plugins, train_mb_size=24)
    strategy.train(benchmark_of_digits.train_stream[0])
    assert recorder.terms == []
    for experience in benchmark_of_digits.train_stream[1:3]:
        strategy.train(experience)
    added, expected = zip(*recorder.terms, strict=True)
    assert min(expected) > 0
    assert added == pytest.approx(expected, rel=1e-5)


def test_the_script_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run("own_plugin", "--epochs", "1")
    figures = accuracies(capsys.readouterr().out)
    assert len(figures) == 5
    assert all(10 < each <= 100 for each in figures)
