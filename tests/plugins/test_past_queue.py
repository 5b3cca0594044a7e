"""MoCo's past queue R: what it holds when an experience begins, and later."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr import PNRPlugin, SelfSupervised
from tests.conftest import METHODS, benchmark_of_views, tiny_moco
from tests.plugins.conftest import train


class Begin(SupervisedPlugin):
    """Notes R as an experience begins, and every call of the past network.

    Stands before PNRPlugin, so that no call is missed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.queues: list[Tensor] = []

    def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.calls.append(0)
        network = strategy.past_model.network
        if network is not None:
            self.hook = network.register_forward_hook(self.count)

    def count(self, *_: Any) -> None:
        self.calls[-1] += 1

    def before_training_epoch(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if hasattr(strategy.model, "past_queue"):
            self.queues.append(strategy.model.past_queue.keys.clone())

    def after_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if strategy.past_model.exists:
            self.hook.remove()


def views(experiences: int, images: int = 32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    shape = (experiences, images, 2, 3, 8, 8)
    return list(torch.rand(shape, generator=generator).unbind(0))


def past_outputs(strategy: SelfSupervised, images: Tensor) -> Tensor:
    """What the past model of the next experience makes of views, (2, M, D)."""
    strategy.model.eval()
    with torch.no_grad():
        f = [
            strategy.model.projector(strategy.model.backbone(view))
            for view in images.unbind(1)
        ]
    strategy.model.train()
    return normalize(torch.stack(f), dim=-1)


def origin(queue: Tensor, outputs: Tensor) -> list[int]:
    """For each row of a queue (2, K, D) the image it is the output of, or -1."""
    pairs = [each.transpose(0, 1).flatten(1) for each in (queue, outputs)]
    exact = "donot_use_mm_for_euclid_dist"
    distance, image = torch.cdist(*pairs, compute_mode=exact).min(dim=1)
    return torch.where(distance < 1e-5, image, -1).tolist()


@pytest.mark.parametrize("length", [20, 32, 48, 80])
def test_a_filled_queue_begins_with_past_outputs_of_the_new_images(
    length: int, make_strategy: Any
) -> None:
    begin, stream = Begin(), views(3)
    model = tiny_moco(queue_length=length, past_queue_start="filled")
    strategy = make_strategy(model, plugins=[begin, PNRPlugin()])
    random = model.past_queue.keys.clone()
    expected = []
    for images, experience in zip(
        stream, benchmark_of_views(*stream).train_stream, strict=True
    ):
        expected.append(past_outputs(strategy, images))
        strategy.train(experience)
    assert torch.equal(begin.queues[0], random)
    for number in (1, 2):
        found = origin(begin.queues[number], expected[number])
        assert -1 not in found
        assert len(set(found)) == min(length, 32)
        assert max(map(found.count, found)) == -(-length // 32)
    # Two batches of the pass, two of training.
    assert begin.calls == [0, 4, 4]


def test_a_random_queue_is_left_alone(make_strategy: Any) -> None:
    begin, stream = Begin(), views(3)
    model = tiny_moco(queue_length=48, past_queue_start="random")
    strategy = make_strategy(model, plugins=[begin, PNRPlugin()])
    random = model.past_queue.keys.clone()
    before = []
    for experience in benchmark_of_views(*stream).train_stream:
        before.append(model.past_queue.keys.clone())
        strategy.train(experience)
    assert torch.equal(begin.queues[1], random)
    assert torch.equal(begin.queues[2], before[2])
    assert begin.calls == [0, 2, 2]


def test_random_is_the_default() -> None:
    assert tiny_moco().past_queue_start == "random"


@pytest.mark.parametrize("name", METHODS)
def test_no_method_computes_the_pass_unasked(name: str, make_strategy: Any) -> None:
    begin = Begin()
    strategy = make_strategy(METHODS[name](), plugins=[begin, PNRPlugin()], lr=0.002)
    train(strategy, benchmark_of_views(*views(3)), 3)
    assert begin.calls == [0, 2, 2]


def test_online_streams_fill_at_the_experiences_first_part(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    stream = split_online_stream(
        benchmark_of_digits.train_stream,
        experience_size=16,
        access_task_boundaries=True,
    )
    begin = Begin()
    model = tiny_moco(past_queue_start="filled")
    strategy = make_strategy(model, plugins=[begin, PNRPlugin()], train_mb_size=8)
    for experience in list(stream)[:9]:
        strategy.train(experience)
    assert begin.calls == [0, 0, 0, 4, 2, 2, 4, 2, 2]


def test_the_pass_is_computed_only_as_far_as_it_is_asked_for(
    make_strategy: Any,
) -> None:
    begin, model = Begin(), tiny_moco()

    def first_only(outputs: Iterator[Tensor]) -> None:
        assert next(iter(outputs)).shape == (16, 2, 8)

    model.reset_past_queue = first_only
    strategy = make_strategy(model, plugins=[begin, PNRPlugin()])
    train(strategy, benchmark_of_views(*views(2)), 2)
    assert begin.calls == [0, 3]


def test_past_outputs_enter_mocos_past_queue_and_no_other_batch(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[PNRPlugin()])
    start = strategy.model.past_queue.keys.clone()
    train(strategy, benchmark_of_digits, 1)
    assert torch.equal(strategy.model.past_queue.keys, start)
    train(strategy, benchmark_of_digits, 2)
    assert not torch.isclose(strategy.model.past_queue.keys, start).all(-1).any()
    assert strategy.objective is None


def test_a_short_queue_is_filled_from_the_whole_experience(make_strategy: Any) -> None:
    # Experiences of Class-IL are stored class by class: their end is one class.
    begin, stream = Begin(), views(2)
    model = tiny_moco(queue_length=16, past_queue_start="filled")
    strategy = make_strategy(model, plugins=[begin, PNRPlugin()])
    first, second = benchmark_of_views(*stream).train_stream
    strategy.train(first)
    expected = past_outputs(strategy, stream[1])
    strategy.train(second)
    found = origin(begin.queues[1], expected)
    assert -1 not in found
    assert len(set(found)) == 16
    assert min(found) < 8
    assert max(found) >= 24
