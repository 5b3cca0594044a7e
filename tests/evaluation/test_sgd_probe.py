import numpy as np
import pytest
import torch
from torch import Tensor, nn

from avalanche_pnr.evaluation import SGDProbe, forgetting

LABELS = torch.arange(40) % 4


def features() -> Tensor:
    """Four clusters that a line separates."""
    centres = 3 * torch.eye(4)
    return centres[LABELS] + 0.1 * torch.randn(40, 4)


def test_separates_clusters_and_leaves_the_generators() -> None:
    x = features()
    before = torch.random.get_rng_state()
    scores = SGDProbe(lr=1.0, epochs=20, milestones=(15,)).fit(x, LABELS)(x)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert scores.shape == (40, 4)
    assert torch.equal(scores.argmax(dim=1), LABELS)
    assert not scores.requires_grad


def test_is_plain_sgd_whose_rate_falls_at_the_milestones() -> None:
    x = features().double()
    layer = nn.Linear(4, 4).double()
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    velocity = [torch.zeros_like(parameter) for parameter in layer.parameters()]
    for epoch in range(5):
        lr = 0.5 * 0.1 ** ((epoch >= 2) + (epoch >= 4))
        loss = nn.functional.cross_entropy(layer(x), LABELS)
        gradients = torch.autograd.grad(loss, list(layer.parameters()))
        with torch.no_grad():
            for w, v, g in zip(layer.parameters(), velocity, gradients, strict=True):
                w -= lr * v.mul_(0.9).add_(g)
    probe = SGDProbe(0.5, epochs=5, milestones=(2, 4), batch_size=40, momentum=0.9)
    assert torch.allclose(probe.fit(x, LABELS)(x), layer(x), rtol=1e-9)


def test_batches_are_drawn_by_the_seed() -> None:
    x = features()
    readouts = [SGDProbe(0.1, epochs=2, batch_size=8, seed=s) for s in (0, 0, 1)]
    first, same, other = (each.fit(x, LABELS)(x) for each in readouts)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_says_what_it_is_and_refuses_a_rate_of_zero() -> None:
    assert str(SGDProbe(3.0)) == "linear (SGD, 100 epochs, learning rate 3)"
    with pytest.raises(ValueError, match=r"SGDProbe needs lr > 0.* got lr=0"):
        SGDProbe(0.0)


def test_forgetting_is_not_defined_on_one_test_set_for_all() -> None:
    assert np.isnan(forgetting(np.array([[0.5], [0.4], [0.3]])))


def test_a_probe_that_diverges_is_no_result() -> None:
    with pytest.raises(FloatingPointError, match="diverged on these features: lower"):
        SGDProbe(1e30, epochs=3, milestones=(9,)).fit(1e30 * features(), LABELS)
