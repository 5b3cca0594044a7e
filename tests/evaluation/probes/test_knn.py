from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from avalanche_pnr import KNNProbe
from tests.evaluation.probes.conftest import TEST, TRAIN, make_features


def _votes(queries: Tensor, k: int, temperature: float) -> np.ndarray:
    """Share of each class among the weighted k nearest neighbours, by loops."""
    bank, labels = TRAIN[0].numpy(), TRAIN[1].numpy()
    shares = np.zeros((len(queries), labels.max() + 1))
    for row, query in enumerate(queries.numpy()):
        cosines = [
            query @ other / np.linalg.norm(query) / np.linalg.norm(other)
            for other in bank
        ]
        for index in np.argsort(cosines)[::-1][:k]:
            shares[row, labels[index]] += np.exp(cosines[index] / temperature)
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("chunks", [{}, {"chunk": 7, "bank_chunk": 11}])
@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (5, 0.07), (20, 0.5)])
def test_knn_probe_is_the_loop_over_neighbours(
    k: int, temperature: float, chunks: dict[str, int]
) -> None:
    probe = KNNProbe(k=k, temperature=temperature, **chunks)
    scores = probe.fit(*TRAIN)(TEST[0]).numpy()
    expected = _votes(TEST[0], k, temperature)
    shares = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=1e-9)
    assert np.array_equal(scores.argmax(axis=1), expected.argmax(axis=1))


def test_knn_probe_looks_at_directions_only() -> None:
    x, y = TRAIN
    lengths = torch.linspace(0.1, 10, len(x))[:, None]
    expected = KNNProbe().fit(x, y)(TEST[0])
    torch.testing.assert_close(KNNProbe().fit(x * lengths, y)(TEST[0] * 3), expected)


@pytest.mark.parametrize("chunk", [1, 7, 60])
@pytest.mark.parametrize("bank_chunk", [1, 19, 20, 45, 90])
def test_chunks_do_not_change_the_scores(chunk: int, bank_chunk: int) -> None:
    whole = KNNProbe().fit(*TRAIN)(TEST[0])
    parts = KNNProbe(chunk=chunk, bank_chunk=bank_chunk).fit(*TRAIN)(TEST[0])
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-12)


class _Largest(TorchDispatchMode):
    """Number of elements of the largest tensor that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple) else [result]:
            # Views into the bank and the queries take no memory.
            if isinstance(each, Tensor) and not each._is_view():
                self.elements = max(self.elements, each.numel())
        return result


@pytest.mark.parametrize("images", [600, 6000])
def test_similarities_take_no_more_memory_with_a_larger_bank(images: int) -> None:
    queries = make_features(300, seed=1)[0]
    probe = KNNProbe(chunk=50, bank_chunk=100)
    readout = probe.fit(*make_features(images, seed=0))
    with _Largest() as largest:
        scores = readout(queries)
    assert scores.shape == (300, 3)
    assert largest.elements == 50 * 100


def test_knn_probe_finds_the_neighbour_at_a_low_temperature() -> None:
    bank, labels = torch.eye(3), torch.tensor([0, 1, 2])
    queries = torch.tensor([[-1.0, -0.9, 0.1], [0.1, 0.2, -1.0]])
    scores = KNNProbe(k=1, temperature=0.005).fit(bank, labels)(queries)
    assert scores.argmax(dim=1).tolist() == [2, 1]


def test_all_of_the_bank_may_vote_and_no_more() -> None:
    x, y = TRAIN
    assert KNNProbe(k=90).fit(x, y)(TEST[0]).shape == (60, 3)
    fewer, more = KNNProbe(k=90), KNNProbe(k=91)
    assert torch.equal(more.fit(x, y)(TEST[0]), fewer.fit(x, y)(TEST[0]))


@pytest.mark.parametrize(
    "options", [{"k": 0}, {"temperature": 0.0}, {"chunk": 0}, {"bank_chunk": 0}]
)
def test_knn_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="KNNProbe needs k >= 1"):
        KNNProbe(**options)
