"""The benchmark shows how cost grows; no time is asserted."""

import pytest
import torch

from experiments.measurements.speed import experiences, linear, step, throughput
from experiments.measurements.speed.measure import Ratio, Setting

QUICK = Setting(torch.device("cpu"), quick=True, rounds=1)


@pytest.mark.slow
def test_every_experience_from_the_third_on_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(experiences, "IMAGES", 4)
    monkeypatch.setattr(experiences, "BATCH", 4)
    rows = experiences.measure(QUICK).rows
    shown = [row["experiences"] for row in rows]
    assert shown == ["3 to 3", "4 to 4", "5 to 5", "6 to 6", "7 to 7", "8 to 8"]
    assert rows[0]["time / of the first row"] == Ratio(1.0, 1.0, 1.0)


@pytest.mark.slow
def test_growth_with_images_and_epochs_is_shown() -> None:
    rows = linear.measure(QUICK).rows
    assert [row["what"] for row in rows] == ["twice the images", "twice the epochs"]


@pytest.mark.slow
def test_throughput_counts_the_operations_of_all_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = dict(list(step.METHODS.items())[:2])  # networks of the published size
    monkeypatch.setattr(throughput, "METHODS", two)
    rows = throughput.measure(QUICK).rows
    assert [row["method"] for row in rows] == list(two)
    row = rows[0]
    # ten passes of two views (backward is two) of 0.63 billion products, and the losses
    assert 0.0126 < row["TFLOP an image"] < 0.016
    hours = throughput.SAMPLES / row["images / s"] / 3600
    assert row["hours for CIFAR-100"] == pytest.approx(hours)
