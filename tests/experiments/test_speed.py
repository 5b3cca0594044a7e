"""The benchmark of speed runs and says what it measured; no time is asserted."""

import json
from pathlib import Path

import pytest
import torch

from experiments.measurements.speed import __main__ as speed
from experiments.measurements.speed import loss
from experiments.measurements.speed.loss import package_loss
from experiments.measurements.speed.measure import (
    Ratio,
    Setting,
    peak_memory,
    ratio,
    seconds,
)
from experiments.measurements.speed.straightforward import pnr_loss
from experiments.measurements.speed.table import Table

CPU = torch.device("cpu")


def test_contestants_run_in_turn_after_one_round_to_warm_up() -> None:
    runs: list[str] = []
    work = {name: lambda name=name: runs.append(name) for name in "ab"}
    taken = seconds(work, Setting(CPU, rounds=3))
    assert "".join(runs) == "ab" * 4
    assert {name: len(each) for name, each in taken.items()} == {"a": 3, "b": 3}


def test_ratios_are_taken_round_by_round() -> None:
    assert ratio([1.0, 4.0, 9.0], [1.0, 2.0, 3.0]) == Ratio(2.0, 1.0, 3.0)


def test_peak_memory_counts_what_is_held_at_once() -> None:
    def work() -> None:
        a = torch.zeros(1000)
        b = a + 1
        del a
        (b * 2).sum()

    assert 8000 <= peak_memory(work, CPU) < 9000


def test_a_table_shows_and_records_every_figure() -> None:
    table = Table("Title", [{"what": "x", "time": Ratio(0.5, 0.25, 1.0), "n": 3}])
    assert str(table).splitlines() == [
        "Title",
        "what                    time  n",
        "x     0.500 (0.250 to 1.000)  3",
    ]
    row = {"what": "x", "time": {"median": 0.5, "low": 0.25, "high": 1.0}, "n": 3}
    assert json.loads(json.dumps(table.record())) == {"title": "Title", "rows": [row]}


def test_the_command_prints_and_writes_what_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(setting: Setting) -> Table:
        return Table("Two", [{"what": "rounds", "n": setting.rounds}])

    monkeypatch.setattr(speed, "COMPARISONS", {"one": None, "two": measure})
    out = tmp_path / "figures.json"
    speed.main(["two", "--quick", "--json", str(out)])
    assert "Two\nwhat    n\nrounds  3" in capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert figures["tables"]["two"]["rows"] == [{"what": "rounds", "n": 3}]
    assert figures["conditions"]["threads"] == 1


def test_what_time_leaves_out_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    moments = iter([0.0, 59.0, 61.0])
    monkeypatch.setattr(speed.time, "monotonic", lambda: next(moments))
    table = Table("A", [{"n": 1}])
    comparisons = dict.fromkeys(("one", "two", "three"), lambda setting: table)
    monkeypatch.setattr(speed, "COMPARISONS", comparisons)
    out = tmp_path / "figures.json"
    speed.main(["--all", "--quick", "--minutes", "1", "--json", str(out)])
    assert "left out after 1 minutes: two, three" in capsys.readouterr().out
    assert list(json.loads(out.read_text())["tables"]) == ["one"]
    with pytest.raises(SystemExit):
        speed.main(["one", "--all"])
    assert "--all and one: give one of the two" in capsys.readouterr().err


def test_an_unknown_comparison_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        speed.main(["lop"])
    there = ", ".join(speed.COMPARISONS)
    assert f"there is no lop: choose of {there}" in capsys.readouterr().err


def test_both_forms_of_pnrs_loss_are_the_same() -> None:
    q, k, p, f, queue, past = torch.nn.functional.normalize(
        torch.randn(6, 2, 7, 5, dtype=torch.float64), dim=-1
    )
    q, k, p, f = (each.transpose(0, 1) for each in (q, k, p, f))
    q, p = q.detach().requires_grad_(), p.detach().requires_grad_()
    forms = [form(q, p, k, f, queue, past) for form in (package_loss, pnr_loss)]
    torch.testing.assert_close(*forms, rtol=1e-12, atol=1e-12)
    gradients = [torch.stack(torch.autograd.grad(form, (q, p))) for form in forms]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_losses_are_measured_in_time_and_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss, "QUEUE_LENGTH", 1024)
    table = loss.measure(Setting(CPU, quick=True, rounds=1))
    assert "N = 32, D = 128 (2048), K = 1024" in table.title
    names = [row["loss"] for row in table.rows]
    assert names == ["MoCoV2+ with PNR", "Barlow Twins", "VICReg"]
    for row in table.rows:
        assert 0 < row["package (MiB)"] < row["rival (MiB)"]
