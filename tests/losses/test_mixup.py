import torch

from avalanche_pnr.losses import mixup


def test_it_is_the_weighted_sum() -> None:
    current, remembered = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, -2.0]])
    assert mixup(current, remembered, 0.25).tolist() == [[4.0, -1.0]]
    assert torch.equal(mixup(current, remembered, 1.0), current)
    assert torch.equal(mixup(current, remembered, 0.0), remembered)
