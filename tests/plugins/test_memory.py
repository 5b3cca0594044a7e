"""What is remembered, how it is drawn, and its state."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from avalanche.training import Naive
from torch import Tensor, nn

from avalanche_pnr import DERPlugin, LUMPPlugin, SelfSupervised
from avalanche_pnr.plugins import MemoryPlugin
from tests.conftest import METHODS, Strategy, tiny_backbone, tiny_simclr
from tests.plugins.conftest import train
from tests.plugins.marked import marked_stream, shares


def marks(plugin: MemoryPlugin) -> list[int]:
    """Numbers of the images of a marked stream that a memory holds, in its order."""
    views = torch.stack([sample[0] for sample in plugin.memory.dataset])
    return shares(views).argmax(dim=1).tolist()


class Drawn(MemoryPlugin):
    """Notes the images that are drawn."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.batches: list[list[int]] = []

    def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        batch = self.draw(strategy)
        if batch is not None:
            self.batches.append(shares(batch[0]).argmax(dim=1).tolist())


def test_images_of_all_experiences_are_kept_with_the_same_chance(
    make_strategy: Strategy,
) -> None:
    kept: Counter[int] = Counter()
    for seed in range(60):
        plugin = MemoryPlugin(mem_size=12)
        strategy = make_strategy(tiny_simclr(), seed=seed, plugins=[plugin])
        for experience in marked_stream(4).train_stream:
            strategy.train(experience)
        images = marks(plugin)
        assert len(set(images)) == 12
        kept.update(image // 16 for image in images)
    # 720 images of four experiences: 180 each, with a deviation of about 10.
    assert all(140 < kept[experience] < 220 for experience in range(4))


def test_the_rows_before_name_the_images(make_strategy: Strategy) -> None:
    plugin, stream = MemoryPlugin(mem_size=20), marked_stream(4)
    before: list[int] = []
    for number, experience in enumerate(stream.train_stream):
        rows = plugin.memory.add(experience.dataset)
        images = marks(plugin)
        new = {image for image in images if image // 16 == number}
        assert len(rows) == len(images) == min(16 * (number + 1), 20)
        for row, image in zip(rows, images, strict=True):
            assert image in new if row is None else image == before[row]
        before = images


@pytest.mark.parametrize(("asked", "size"), [(None, 8), (3, 3), (50, 20)])
def test_batches_hold_different_images(
    asked: int | None, size: int, make_strategy: Strategy
) -> None:
    plugin = Drawn(mem_size=20, batch_size_mem=asked)
    strategy = make_strategy(plugins=[plugin], train_mb_size=8, train_epochs=3)
    for experience in marked_stream(4).train_stream:
        strategy.train(experience)
    first, later = plugin.batches[:6], plugin.batches[6:]
    assert len(later) == 12
    assert {len(batch) for batch in later} == {size}
    assert {len(batch) for batch in first} == {min(size, 16)}
    assert all(len(set(batch)) == len(batch) for batch in plugin.batches)
    assert len({tuple(batch) for batch in plugin.batches}) == 18


def test_views_are_made_anew_whenever_an_image_is_drawn(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    class Views(Drawn):
        def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            batch = self.draw(strategy)
            if batch is not None:
                assert batch[0].shape == (1, 2, 3, 8, 8)
                drawn.append(batch[0])

    drawn: list[Tensor] = []
    plugin = Views(mem_size=1)
    strategy = make_strategy(plugins=[plugin], train_epochs=2)
    train(strategy, benchmark_of_digits, 3)
    views = torch.cat(drawn).flatten(0, 1)
    # Crops of 8 px may agree by chance.
    assert len({tuple(view.flatten().tolist()) for view in views}) > 16
    assert len(views) == 24


@pytest.mark.parametrize("workers", [0, 2])
def test_the_seed_decides_what_is_drawn(workers: int, make_strategy: Strategy) -> None:
    def drawn(seed: int) -> list[list[int]]:
        plugin = Drawn(mem_size=12, batch_size_mem=4)
        strategy = make_strategy(plugins=[plugin], train_mb_size=8)
        torch.manual_seed(seed)
        for experience in marked_stream(3).train_stream:
            strategy.train(experience, num_workers=workers)
        return plugin.batches

    assert drawn(1) == drawn(1) != drawn(2)


def test_parts_of_online_streams_enter_when_they_end(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    parts = split_online_stream(benchmark_of_digits.train_stream, experience_size=16)
    plugin = LUMPPlugin(mem_size=100)
    strategy = make_strategy(plugins=[plugin], train_mb_size=8)
    for number, part in enumerate(parts):
        strategy.train(part)
        assert len(plugin.memory) == min(16 * (number + 1), 100)
        if number == 8:
            break


@pytest.mark.parametrize("plugin", [LUMPPlugin, DERPlugin])
def test_other_strategies_are_refused_before_training(
    plugin: Callable[[], MemoryPlugin], benchmark_of_digits: CLScenario
) -> None:
    model = nn.Sequential(tiny_backbone(), nn.Linear(8, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    naive = Naive(model=model, optimizer=optimizer, plugins=[plugin()], evaluator=None)
    with pytest.raises(TypeError, match=r"Naive does not have.*SelfSupervised"):
        naive.train(benchmark_of_digits.train_stream[0])


@pytest.mark.parametrize("name", METHODS)
def test_unlabelled_images_are_remembered_too(
    name: str, make_strategy: Strategy
) -> None:
    plugin = Drawn(mem_size=8)
    strategy = make_strategy(METHODS[name](), plugins=[plugin], train_mb_size=8)
    for experience in marked_stream(3).train_stream:
        strategy.train(experience)
    assert len(plugin.batches) == 4
