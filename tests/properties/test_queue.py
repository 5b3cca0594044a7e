"""A queue holds the last keys, whatever its length and that of the batches."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from avalanche_pnr.methods import Queue


@given(
    length=st.integers(1, 40),
    dim=st.integers(1, 5),
    views=st.integers(1, 3),
    data=st.data(),
)
def test_a_queue_holds_the_latest_keys_of_each_view(
    length: int, dim: int, views: int, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, length), max_size=8))
    queue = Queue(length, dim, views)
    seen = queue.keys.clone()  # (V, K, D), the oldest first
    for size in sizes:
        batch = normalize(torch.randn(size, views, dim), dim=-1)
        queue.enqueue(batch)
        seen = torch.cat([seen, batch.transpose(0, 1)], dim=1)
    latest = seen[:, -length:]
    # The oldest key is where the next one will be written.
    pointer = sum(sizes) % length
    assert torch.equal(queue.keys.roll(-pointer, dims=1), latest)
    restored = Queue(length, dim, views)
    restored.load_state_dict(queue.state_dict())
    extra = normalize(torch.randn(1, views, dim), dim=-1)
    queue.enqueue(extra)
    restored.enqueue(extra)
    assert torch.equal(queue.keys, restored.keys)


@given(length=st.integers(1, 30), images=st.integers(1, 70))
def test_a_filled_queue_repeats_the_latest(length: int, images: int) -> None:
    queue = Queue(length, 2)
    embeddings = normalize(torch.randn(images, 2, 2), dim=-1)
    queue.fill(embeddings)
    kept = embeddings[-length:].transpose(0, 1)
    repeated = torch.cat([kept] * length, dim=1)[:, :length]
    assert torch.equal(queue.keys, repeated)
