"""Pseudo-negatives in both terms, in one or in neither: each against its equation."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from tests.conftest import CONTRASTIVE, METHODS

N, D, TAU, TAU_D = 4, 8, 0.3, 0.15
CHOICES = ("both", "loss", "regularizer", "neither")


@dataclass
class Batch:
    """Raw embeddings, (N, 2, D): z and p are leaves that get gradients."""

    z: Tensor
    k: Tensor
    p: Tensor
    f: Tensor

    def output(self, method: Any) -> Tensor:
        """The method's output; z is MoCo v3's q, and its projection is not in use."""
        parts = {
            "MoCoV2Plus": [self.z, self.k],
            "MoCoV3": [torch.zeros_like(self.k), self.z, self.k],
            "SimCLR": [self.z],
        }
        return torch.cat(parts[type(method).__name__], dim=-1)

    def terms(self, method: Any) -> Tensor:
        """What the package makes of it."""
        output = self.output(method)
        distill_loss: Tensor = method.pnr_distill_loss(output, self.p, self.f)
        return distill_loss + method.pnr_ssl_loss(output, self.f)


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    z, k, p, f = torch.randn(4, N, 2, D, dtype=torch.float64)
    return Batch(z.clone().requires_grad_(), k, p.clone().requires_grad_(), f)


def make(name: str, choice: str) -> Any:
    torch.manual_seed(1)
    options = {"temperature": TAU, "distillation_temperature": TAU_D}
    return METHODS[name](pseudo_negatives=choice, **options).double()


def moco_equation(method: Any, batch: Batch, choice: str) -> Tensor:
    """Cross-entropies over [positive | queues] of each view, summed and halved."""
    z, k, p, f = (normalize(each, dim=-1) for each in vars(batch).values())
    queues, past_queues = method.queue.keys, method.past_queue.keys
    first = torch.zeros(N, dtype=torch.long)
    losses = []
    for view, other in ((0, 1), (1, 0)):
        q, g = z[:, view], p[:, view]
        logits = [(q * k[:, other]).sum(1, keepdim=True), q @ queues[other].T]
        if choice in ("both", "loss"):
            logits.append(q @ past_queues[other].T)
        losses.append(cross_entropy(torch.cat(logits, 1) / TAU, first))
        logits = [(g * f[:, view]).sum(1, keepdim=True), g @ past_queues[other].T]
        if choice in ("both", "regularizer"):
            logits.append(g @ queues[other].T)
        losses.append(cross_entropy(torch.cat(logits, 1) / TAU_D, first))
    return torch.stack(losses).sum() / 2


def mocov3_equation(method: Any, batch: Batch, choice: str) -> Tensor:
    """Explicit sums over the other images of the other view, times 2 tau."""
    q, k, p, f = (normalize(each, dim=-1) for each in vars(batch).values())
    total = torch.zeros((), dtype=torch.float64)
    for view, other in ((0, 1), (1, 0)):
        for i in range(N):
            others = [j for j in range(N) if j != i]
            terms = [q[i, view] @ k[j, other] for j in range(N)]
            if choice in ("both", "loss"):
                terms += [q[i, view] @ f[j, other] for j in others]
            positive = (q[i, view] @ k[i, other] / TAU).exp()
            total = total - 2 * TAU * (positive / _sum_exp(terms, TAU)).log()
            terms = [p[i, view] @ f[i, view]]
            terms += [p[i, view] @ f[j, other] for j in others]
            if choice in ("both", "regularizer"):
                terms += [p[i, view] @ k[j, other] for j in others]
            positive = (p[i, view] @ f[i, view] / TAU_D).exp()
            total = total - 2 * TAU_D * (positive / _sum_exp(terms, TAU_D)).log()
    return total / N


def simclr_equation(method: Any, batch: Batch, choice: str) -> Tensor:
    """Explicit sums over the 2N rows [z_A; z_B]."""
    z, p, f = (
        normalize(torch.cat([each[:, 0], each[:, 1]]), dim=-1)
        for each in (batch.z, batch.p, batch.f)
    )
    losses = []
    for i in range(2 * N):
        others = [j for j in range(2 * N) if j != i]
        terms = [z[i] @ z[j] for j in others]
        if choice in ("both", "loss"):
            terms += [z[i] @ f[j] for j in others]
        positive = z[i] @ z[(i + N) % (2 * N)]
        losses.append(-((positive / TAU).exp() / _sum_exp(terms, TAU)).log())
        terms = [p[i] @ f[j] for j in range(2 * N)]
        if choice in ("both", "regularizer"):
            terms += [p[i] @ z[j] for j in others]
        losses.append(-((p[i] @ f[i] / TAU_D).exp() / _sum_exp(terms, TAU_D)).log())
    return torch.stack(losses).sum() / (2 * N)


def _sum_exp(terms: list[Tensor], temperature: float) -> Tensor:
    return (torch.stack(terms) / temperature).exp().sum()


EQUATIONS = {
    "moco": moco_equation,
    "mocov3": mocov3_equation,
    "simclr": simclr_equation,
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", CONTRASTIVE)
def test_each_choice_is_its_equation(name: str, choice: str, batch: Batch) -> None:
    method = make(name, choice)
    actual = batch.terms(method)
    expected = EQUATIONS[name](method, batch, choice)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=0)
    leaves = (batch.z, batch.p)
    for ours, theirs in zip(
        torch.autograd.grad(actual, leaves),
        torch.autograd.grad(expected, leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_the_choices_differ_and_both_is_the_default(name: str, batch: Batch) -> None:
    values = {choice: batch.terms(make(name, choice)).item() for choice in CHOICES}
    assert len({round(value, 6) for value in values.values()}) == len(CHOICES)
    torch.manual_seed(1)
    default = METHODS[name](temperature=TAU, distillation_temperature=TAU_D).double()
    assert batch.terms(default).item() == values["both"]


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_pseudo_negatives_in_neither_is_not_cassle(name: str, batch: Batch) -> None:
    method = make(name, "neither")
    cassle = method.loss(batch.output(method)) + method.distill_loss(batch.p, batch.f)
    assert abs(batch.terms(method).item() - cassle.item()) > 0.01
