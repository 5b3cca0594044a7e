import copy

import pytest
import torch
from torch import nn

from avalanche_pnr.methods import PastModel
from tests.conftest import VIEWS, tiny_moco


def test_past_model_is_frozen_in_eval_mode_and_runs_once_a_batch() -> None:
    method, past_model = tiny_moco().train(), PastModel()
    assert not past_model.exists
    past_model.snapshot(method)
    reference = copy.deepcopy(nn.Sequential(method.backbone, method.projector)).eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(1.0)
    method(VIEWS)
    first = past_model(VIEWS)
    assert past_model(VIEWS) is first
    assert not first.requires_grad
    for view in range(2):
        expected = reference(VIEWS[:, view])
        assert torch.allclose(first[:, view], expected, atol=1e-6)
    assert not torch.equal(past_model(VIEWS.flip(0)), first)


def test_past_model_notices_a_reused_input_buffer() -> None:
    method, past_model, buffer = tiny_moco(), PastModel(), VIEWS.clone()
    past_model.snapshot(method)
    first = past_model(buffer)
    buffer.copy_(VIEWS.flip(0))
    assert torch.equal(past_model(buffer), first.flip(0))


def test_no_past_in_the_first_experience() -> None:
    with pytest.raises(RuntimeError, match="no past model in the first experience"):
        PastModel()(VIEWS)
