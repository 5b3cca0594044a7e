import warnings

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch.nn.functional import normalize

from avalanche_pnr.methods import Queue
from tests.conftest import Strategy, tiny_moco


def test_starts_as_random_unit_vectors_that_differ_between_views() -> None:
    queue = Queue(10, 4)
    assert torch.allclose(queue.keys.norm(dim=-1), torch.ones(2, 10))
    assert not torch.equal(queue.keys[0], queue.keys[1])


@pytest.mark.parametrize("size", [1, 3, 4, 7])
def test_holds_the_last_keys_of_each_view_whatever_the_batch_size(size: int) -> None:
    queue = Queue(7, 3)
    seen = []
    for step in range(9):
        keys = normalize(torch.randn(size, 2, 3), dim=-1)
        queue.enqueue(keys)
        seen.append(keys)
        last = torch.cat(seen)[-7:].transpose(0, 1)
        if last.shape[1] == 7:
            age = int(queue.pointer)
            assert torch.equal(queue.keys.roll(-age, dims=1), last), step


def test_state_dict_keeps_keys_and_position() -> None:
    queue, other = Queue(5, 2), Queue(5, 2)
    queue.enqueue(torch.ones(3, 2, 2))
    other.load_state_dict(queue.state_dict())
    for each in (queue, other):
        each.enqueue(torch.full((3, 2, 2), 2.0))
    assert torch.equal(queue.keys, other.keys)
    assert int(other.pointer) == 1


def test_a_batch_above_the_length_is_refused() -> None:
    with pytest.raises(ValueError, match="length 4 is shorter than a batch of 5"):
        Queue(4, 2).enqueue(torch.ones(5, 2, 2))


@pytest.mark.parametrize("images", [1, 3, 7, 11])
def test_fill_replaces_every_key_by_the_last_embeddings(images: int) -> None:
    queue = Queue(7, 3)
    queue.enqueue(torch.ones(3, 2, 3))
    embeddings = normalize(torch.randn(images, 2, 3), dim=-1)
    queue.fill(embeddings)
    latest = embeddings[-7:]
    for row in range(7):
        assert torch.equal(queue.keys[:, row], latest[row % len(latest)])


@pytest.mark.parametrize("images", [7, 11])
def test_after_fill_the_oldest_embeddings_go_first(images: int) -> None:
    queue = Queue(7, 3)
    queue.enqueue(torch.ones(3, 2, 3))
    embeddings, batch = torch.randn(images, 2, 3), torch.randn(2, 2, 3)
    queue.fill(embeddings)
    queue.enqueue(batch)
    expected = torch.cat([batch, embeddings[-5:]]).transpose(0, 1)
    assert torch.equal(queue.keys, expected)


def test_fill_keeps_the_buffers_type() -> None:
    queue = Queue(4, 2)
    keys = queue.keys
    queue.fill(torch.randn(4, 2, 2, dtype=torch.float64))
    assert queue.keys is keys
    assert keys.dtype == torch.float32


@pytest.mark.parametrize("length", [0, -1])
def test_an_empty_queue_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"queue_length must be .* got {length}"):
        Queue(length, 2)


def test_a_queue_longer_than_an_experience_is_warned_of_once(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    strategy = make_strategy(tiny_moco(queue_length=72))
    with pytest.warns(UserWarning, match="queue_length=72 is 1.5 times the 48 images"):
        strategy.train(benchmark_of_digits.train_stream[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        strategy.train(benchmark_of_digits.train_stream[1])


def test_a_queue_as_long_as_an_experience_is_fine(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    strategy = make_strategy(tiny_moco(queue_length=48))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        strategy.train(benchmark_of_digits.train_stream[0])
