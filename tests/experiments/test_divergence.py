"""A loss that is no number ends the run; its last finite state is kept."""

import sys
from pathlib import Path

import pytest
import torch

from experiments.__main__ import main

RUN = ["method.hidden_dim=16", "backbone.width=16", "epochs=2", "seeds=1"]


def test_the_last_finite_state_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    arguments = [*RUN, "optimizer.lr=1e9", "references=[]", f"out={out}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    state = out / "last_finite_state.pt"
    message = str(exit_.value)
    assert message.startswith("error: the ")
    assert "in experience 0, epoch 0, iteration" in message
    assert message.endswith(f"(its state: {state})")
    tensors = torch.load(state, weights_only=True)
    assert "backbone.0.weight" in tensors
    assert all(each.isfinite().all() for each in tensors.values())
    assert not (out / "report.html").exists()
