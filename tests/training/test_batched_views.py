from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    GEMPlugin,
    MIRPlugin,
    ReplayPlugin,
)

from avalanche_pnr import (
    PNRPlugin,
    class_incremental,
    data_incremental,
    make_eval_transform,
    make_ssl_transform,
    with_multiview,
)
from avalanche_pnr.benchmarks import ImageData
from tests.conftest import Strategy, tiny_moco
from tests.training.batches import Batches

NORMALIZE = {"mean": (0.5, 0.5, 0.5), "std": (0.3, 0.3, 0.3)}


@pytest.fixture
def benchmark(few_digits: ImageData) -> CLScenario:
    """Five experiences of 48 images."""
    return class_incremental(few_digits.in_memory(), n_experiences=5, **transforms())


PLUGINS: dict[str, Callable[[], list[Any]]] = {
    "replay": lambda: [ReplayPlugin(mem_size=20, batch_size_mem=8)],
    "ewc": lambda: [EWCPlugin(0.1)],
    "agem": lambda: [AGEMPlugin(patterns_per_experience=16, sample_size=8)],
    "gem": lambda: [GEMPlugin(patterns_per_experience=16, memory_strength=0.5)],
    "mir": lambda: [MIRPlugin(batch_size_mem=6, mem_size=24, subsample=10)],
}


@pytest.mark.parametrize("name", PLUGINS)
def test_every_plugin_trains_on_views_of_whole_batches(
    name: str, benchmark: CLScenario, make_strategy: Strategy
) -> None:
    batches = Batches()
    model = tiny_moco(past_queue_start="filled")
    plugins = [PNRPlugin(predictor_hidden_dim=8), *PLUGINS[name](), batches]
    strategy = make_strategy(model, plugins=plugins)
    for experience in benchmark.train_stream[:3]:
        strategy.train(experience)
    replayed = 8 if name == "replay" else 0
    assert [len(views) for views in batches.views] == [16] * 3 + [16 + replayed] * 6
    for views in batches.views:
        assert views.shape[1:] == (2, 3, 8, 8)
        assert not torch.equal(views[:, 0], views[:, 1])
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def transforms() -> dict[str, Any]:
    return {
        "train_transform": make_ssl_transform(8, batched=True, **NORMALIZE),
        "eval_transform": make_eval_transform(**NORMALIZE),
    }


def images_in_any_order(data: ImageData) -> Any:
    return data_incremental(data.in_memory(), n_experiences=5, **transforms())


def any_benchmark(data: ImageData) -> Any:
    single = {**transforms(), "train_transform": make_ssl_transform(8, **NORMALIZE)}
    views = transforms()["train_transform"]
    return with_multiview(class_incremental(data, n_experiences=5, **single), views)


@pytest.mark.parametrize("make", [images_in_any_order, any_benchmark])
@pytest.mark.parametrize("online", [False, True])
def test_every_stream_trains_on_views_of_whole_batches(
    make: Callable[[ImageData], Any],
    online: bool,
    few_digits: ImageData,
    make_strategy: Strategy,
) -> None:
    stream = make(few_digits).train_stream[:3]
    if online:
        stream = split_online_stream(
            stream, experience_size=24, access_task_boundaries=True
        )
    batches = Batches()
    replay = ReplayPlugin(mem_size=20, batch_size_mem=8)
    plugins = [PNRPlugin(predictor_hidden_dim=8), replay, batches]
    strategy = make_strategy(plugins=plugins)
    for experience in stream:
        strategy.train(experience)
    assert strategy.past_model.exists
    assert len(batches.views) == (6 if online else 9)
    assert [len(views) for views in batches.views[-2:]] == [24, 24]
    views = torch.cat(batches.views)
    assert views.shape[1:] == (2, 3, 8, 8)
    distinct = len(views.flatten(0, 1).unique(dim=0))
    assert distinct > 1.9 * len(views)  # some crops of digits are black


def trained(
    benchmark: CLScenario,
    make_strategy: Strategy,
    train_epochs: int = 1,
    **options: Any,
) -> Batches:
    batches = Batches()
    strategy = make_strategy(plugins=[batches], train_epochs=train_epochs)
    torch.manual_seed(3)
    strategy.train(benchmark.train_stream[0], **options)
    return batches


def test_views_follow_the_seed_of_the_global_generator(
    benchmark: CLScenario, make_strategy: Strategy
) -> None:
    first, second = (trained(benchmark, make_strategy) for _ in range(2))
    for one, other in zip(first.views, second.views, strict=True):
        assert torch.equal(one, other)


def test_processes_of_a_loader_draw_the_same(
    benchmark: CLScenario, make_strategy: Strategy
) -> None:
    here = trained(benchmark, make_strategy, train_epochs=2)
    there = trained(benchmark, make_strategy, train_epochs=2, num_workers=2)
    assert len(torch.cat(there.views).flatten(0, 1).unique(dim=0)) == 192
    for one, other in zip(here.views, there.views, strict=True):
        assert torch.equal(one, other)


def test_images_are_judged_as_ever(
    benchmark: CLScenario, few_digits: ImageData
) -> None:
    plain, label = benchmark.test_stream[0].dataset[0]
    index = benchmark.split["test"][0][0]
    image, expected = few_digits.test[index]
    assert label == expected
    assert torch.equal(plain, make_eval_transform(**NORMALIZE)(image))
