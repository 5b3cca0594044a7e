import pytest
import torch

from experiments.measurements.speed import loading
from experiments.measurements.speed.measure import Ratio, Setting


def test_files_are_read_by_one_and_by_two_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photographs = loading.Photographs(width=90, height=60, files=3, view=16)
    monkeypatch.setattr(loading, "QUICK", photographs)
    rows = loading.measure(Setting(torch.device("cpu"), quick=True, rounds=1)).rows
    assert [row["workers"] for row in rows] == [1, 2]
    for row in rows:
        assert row["images/s"] > 0
        for rival in ("all pixels", "torchvision"):
            found = row[f"{rival} / package"]
            assert isinstance(found, Ratio)
            assert found.median > 0
