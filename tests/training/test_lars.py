import pytest
import torch

from avalanche_pnr import LARS


def test_lars_checks_its_options_and_calls_its_closure() -> None:
    weight = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(ValueError, match="LARS needs momentum >= 0, got -1"):
        LARS([weight], lr=0.1, momentum=-1)
    optimizer = LARS([weight, torch.ones(1, requires_grad=True)], lr=0.1, clip=False)

    def closure() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert (weight < 1).all()
