"""The chunked form over constant keys equals the plain one, gradients included."""

import pytest
import torch
from torch import Tensor

from avalanche_pnr.losses import NegativeSet, info_nce, moco_distillation, moco_loss
from avalanche_pnr.losses import log_sum_exp as module
from avalanche_pnr.losses.log_sum_exp import log_sum_exp


@pytest.fixture(autouse=True)
def few_similarities_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_ON_CPU", 12)


def inputs(
    queries: int, keys: int, dtype: torch.dtype = torch.float64, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    query = scale * torch.randn(queries, 5, dtype=torch.float64)
    return query.to(dtype).requires_grad_(), torch.randn(keys, 5).to(dtype)


def plain(query: Tensor, keys: Tensor) -> Tensor:
    return (query @ keys.T).logsumexp(dim=1)


def value_and_gradient(total: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    weights = torch.linspace(-1, 2, len(query), dtype=total.dtype)
    (gradient,) = torch.autograd.grad(total @ weights, query)
    return total.detach(), gradient


# Three queries hold four keys a chunk, 13 queries fewer than one.
@pytest.mark.parametrize("keys", [1, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("queries", [1, 3, 13])
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_equals_the_plain_form_whatever_the_chunks(
    queries: int, keys: int, scale: float
) -> None:
    query, negatives = inputs(queries, keys, scale=scale)
    found = value_and_gradient(log_sum_exp(query, negatives), query)
    expected = value_and_gradient(plain(query, negatives), query)
    for each, other in zip(found, expected, strict=True):
        torch.testing.assert_close(each, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_sums_are_of_single_precision_at_least(dtype: torch.dtype) -> None:
    query, keys = inputs(3, 50, dtype)
    total, gradient = value_and_gradient(log_sum_exp(query, keys), query)
    exact, exact_gradient = value_and_gradient(
        plain(query.double(), keys.double()), query
    )
    assert total.dtype == torch.promote_types(dtype, torch.float32)
    assert gradient.dtype == dtype
    tolerance = {"rtol": 4 * torch.finfo(dtype).eps, "atol": torch.finfo(dtype).eps}
    torch.testing.assert_close(total.double(), exact, **tolerance)
    torch.testing.assert_close(gradient.double(), exact_gradient.double(), **tolerance)


def test_autocast_lowers_the_products_alone() -> None:
    query, keys = inputs(3, 50, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        total = log_sum_exp(query, keys)
    assert total.dtype == torch.float32
    found = value_and_gradient(total, query)
    for each, exact in zip(
        found, value_and_gradient(plain(query, keys), query), strict=True
    ):
        torch.testing.assert_close(each, exact, rtol=0.03, atol=0.03)
    assert not torch.equal(found[0], log_sum_exp(query, keys))


def test_gradients_pass_gradcheck() -> None:
    query, keys = inputs(3, 9)
    assert torch.autograd.gradcheck(log_sum_exp, (query, keys))


def test_a_second_derivative_is_refused_with_the_remedy() -> None:
    query, keys = inputs(3, 9)
    total = log_sum_exp(query, keys).sum()
    (gradient,) = torch.autograd.grad(total, query, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative: give it keys"):
        gradient.square().sum().backward()
    with_gradients = keys.requires_grad_()
    assert torch.autograd.gradgradcheck(log_sum_exp, (query, with_gradients))


def test_an_entry_that_is_not_finite_shows_in_its_own_query_alone() -> None:
    query, keys = inputs(3, 9)
    with torch.no_grad():
        query[1, 2] = torch.nan
    assert log_sum_exp(query, keys).isnan().tolist() == [False, True, False]


def test_memory_does_not_grow_with_the_number_of_keys() -> None:
    saved: list[int] = []
    query, keys = inputs(3, 1000)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda each: saved.append(each.numel()) or each, lambda each: each
    ):
        log_sum_exp(query, keys)
    assert saved == [query.numel()] * 2


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_mocos_losses_equal_one_cross_entropy_over_all_logits(reduction: str) -> None:
    q, k, p, f = torch.nn.functional.normalize(
        torch.randn(4, 6, 2, 5, dtype=torch.float64), dim=-1
    )
    q, p = q.requires_grad_(), p.requires_grad_()
    queues = torch.randn(2, 2, 11, 5, dtype=torch.float64).unbind()
    negatives = torch.cat(queues, dim=1).flip(0)

    def cross_entropy(queries: Tensor, positives: Tensor, tau: float) -> Tensor:
        losses = []
        for view in range(2):
            query, positive = queries[:, view], positives[:, view]
            own = (query * positive).sum(dim=1, keepdim=True)
            logits = torch.cat([own, query @ negatives[view].T], dim=1) / tau
            target = torch.zeros(len(query), dtype=torch.long)
            losses.append(
                torch.nn.functional.cross_entropy(logits, target, reduction="none")
            )
        each = torch.stack(losses).mean(dim=0)
        return each.mean() if reduction == "mean" else each

    ssl_loss = moco_loss(q, k, queues, 0.2, reduction)
    expected = cross_entropy(q, k.flip(1), 0.2)
    torch.testing.assert_close(ssl_loss, expected, rtol=1e-12, atol=1e-12)
    if reduction == "mean":
        found = ssl_loss + moco_distillation(p, f, queues, 0.3)
        plain = expected + cross_entropy(p, f, 0.3)
        for each, other in zip(
            torch.autograd.grad(found, (q, p)),
            torch.autograd.grad(plain, (q, p)),
            strict=True,
        ):
            torch.testing.assert_close(each, other, rtol=1e-12, atol=1e-12)


def test_keys_with_gradients_take_the_plain_form() -> None:
    query, keys = inputs(3, 9)
    keys.requires_grad_()
    loss = info_nce(query, keys[:3], [NegativeSet(keys)], 0.5)
    loss.backward()
    assert keys.grad is not None
    assert keys.grad[3:].abs().min() > 0
