"""Whole trainings on the meta device, which has shapes and no values.

A tensor made elsewhere fails the step, and so does a copy to the host or a branch on a
value, but for the one that is documented in docs/speed.md.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario

from avalanche_pnr import (
    LARS,
    CaSSLePlugin,
    CroMoMixupPlugin,
    KNNProbe,
    LessForgetPlugin,
    LinearProbe,
    OsirisPlugin,
    PFRPlugin,
    PNRPlugin,
    make_ssl_transform,
)
from avalanche_pnr.evaluation.probes.base import FeatureProbe
from avalanche_pnr.evaluation.representation import (
    alignment,
    linear_cka,
    uniformity,
)
from avalanche_pnr.plugins.base import SelfSupervisedPlugin
from tests.conftest import METHODS, Strategy, tiny_moco
from tests.device.readback import reading_back

CHECK = "strategy.py:optimizer_step"

PLUGINS: dict[str, Callable[[], list[Any]]] = {
    "finetune": list,
    "cassle": lambda: [CaSSLePlugin(predictor_hidden_dim=8)],
    "pnr": lambda: [PNRPlugin(predictor_hidden_dim=8)],
    "pfr": lambda: [PFRPlugin(hidden_dim=8)],
    "less_forget": lambda: [LessForgetPlugin()],
    "cromo mixup": lambda: [CroMoMixupPlugin(mem_size=16, batch_size_mem=8)],
    "osiris": lambda: [OsirisPlugin(mem_size=16, batch_size_mem=8)],
}


@pytest.mark.parametrize("plugins", PLUGINS)
@pytest.mark.parametrize("method", METHODS)
def test_a_step_stays_on_its_device_and_reads_one_number(
    method: str, plugins: str, benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    strategy = make_strategy(
        METHODS[method](), plugins=PLUGINS[plugins](), device="meta"
    )
    with reading_back("meta") as readers:
        for experience in benchmark_of_digits.train_stream[:2]:
            strategy.train(experience)
    assert readers == [CHECK] * 6
    assert {each.device.type for each in strategy.model.state_dict().values()} == {
        "meta"
    }


@pytest.mark.parametrize(
    "options",
    [
        {"accumulate": 3},
        {"model": lambda: tiny_moco(past_queue_start="filled")},
        {"optimizer": lambda model: LARS(model.parameters(), lr=0.1)},
    ],
)
def test_so_do_accumulation_queues_and_lars(
    options: dict[str, Any], benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    model = options.get("model", tiny_moco)()
    if "optimizer" in options:
        options = {"optimizer": options["optimizer"](model)}
    strategy = make_strategy(
        model,
        plugins=PLUGINS["pnr"](),
        device="meta",
        **{k: v for k, v in options.items() if k != "model"},
    )
    with reading_back("meta") as readers:
        for experience in benchmark_of_digits.train_stream[:2]:
            strategy.train(experience)
    losses = readers.count("strategy.py:training_epoch")  # of batches within a step
    assert losses + readers.count(CHECK) == 6
    assert len(readers) <= 7  # a queue that is filled asks once how full it is


class Peeking(SelfSupervisedPlugin):
    """Branches on a value in each step."""

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        if strategy.loss > 0:
            pass


class Straying(SelfSupervisedPlugin):
    """Makes a tensor where the host is."""

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        self.add_to_loss(strategy, (strategy.mb_output * torch.ones(16, 2, 8)).mean())


class Copying(SelfSupervisedPlugin):
    """Takes a tensor to the host."""

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        strategy.mb_output.detach().cpu()


def test_what_a_step_must_not_do_is_seen(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    def train(plugin: Any) -> list[str]:
        strategy = make_strategy(METHODS["simclr"](), plugins=[plugin], device="meta")
        with reading_back("meta") as readers:
            strategy.train(benchmark_of_digits.train_stream[0])
        return readers

    assert train(Peeking()) == ["test_meta.py:before_backward", CHECK] * 3
    with pytest.raises(RuntimeError, match="device"):
        train(Straying())
    with pytest.raises(AssertionError, match=r"before_backward copies .* by cpu\(\)"):
        train(Copying())


@pytest.mark.parametrize("size", [(8, 8), (64, 48)])
def test_batched_views_are_drawn_where_the_images_are(size: tuple[int, int]) -> None:
    views = make_ssl_transform(
        8,
        batched=True,
        mean=(0.5,) * 3,
        std=(0.2,) * 3,
        blur=(1.0, 0.5),
        solarize=(0.5, 0.5),
    )
    pixels = torch.zeros(32, 3, *size, dtype=torch.uint8, device="meta")
    with reading_back("meta") as readers:
        drawn = views.draw(pixels)
    assert drawn.device.type == "meta"
    assert drawn.shape == (32, 2, 3, 8, 8)
    assert readers == []


@pytest.mark.parametrize("probe", [LinearProbe([0.1], epochs=2), KNNProbe(k=3)])
def test_probes_stay_where_the_features_are(probe: FeatureProbe) -> None:
    features = torch.rand(40, 6, device="meta")
    labels = torch.zeros(40, dtype=torch.long, device="meta")
    with reading_back("meta"):
        scores = probe.fit(features, labels)(features[:7])
    assert scores.device.type == "meta"
    assert scores.shape == (7, 2)  # labels up to 1 were read


@pytest.mark.parametrize(
    "measure",
    [
        lambda x: linear_cka(x, x + 1),
        lambda x: alignment(x, x + 1),
        uniformity,
    ],
)
def test_measures_read_what_they_return(measure: Callable[..., float]) -> None:
    with reading_back("meta") as readers:
        measure(torch.rand(30, 6, device="meta"))
    assert len(readers) <= 8
