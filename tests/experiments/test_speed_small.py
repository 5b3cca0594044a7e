import pytest
import torch

from experiments.measurements.speed import judging, small
from experiments.measurements.speed.measure import Ratio, Setting

QUICK = Setting(torch.device("cpu"), quick=True, rounds=1)


def test_a_whole_small_step_is_compared_with_its_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, size = next(iter(small.SIZES.items()))
    monkeypatch.setitem(small.SIZES, name, size._replace(batch=8, steps=2))
    (row,) = small.measure(QUICK).rows
    assert row["size"] == name
    assert isinstance(row["step / networks"], Ratio)
    assert row["step / networks"].median > 0


def test_judging_is_measured_in_time_and_memory() -> None:
    rows = judging.measure(QUICK).rows
    assert [row["what"] for row in rows] == [
        "linear probe",
        "20 neighbours of 500",
        "CKA",
    ]
    assert all(row["seconds"] > 0 for row in rows)
