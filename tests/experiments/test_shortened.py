"""Published recipes with fewer epochs: what is shortened, run and kept."""

from pathlib import Path

import pytest

from experiments.measurements import shortened
from experiments.measurements.speed.table import Table


def test_warm_up_and_queue_keep_their_proportion_to_the_epochs() -> None:
    assert {"epochs=100", "schedule.warmup_epochs=2", "method.queue_length=13056"} <= {
        *shortened.overrides("mocov2plus", 100)
    }
    assert {"schedule.warmup_epochs=10", "method.queue_length=65536"} <= {
        *shortened.overrides("mocov2plus", 500)
    }
    assert not [each for each in shortened.overrides("vicreg", 100) if "queue" in each]


@pytest.mark.slow
def test_toy_prints_rows_and_throughput_and_keeps_small_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shortened, "LARGEST", 400_000)
    monkeypatch.setattr(
        shortened.throughput,
        "measure",
        lambda setting: Table("Throughput", [{"method": "SimCLR", "images / s": 5.0}]),
    )
    out, results = tmp_path / "out", tmp_path / "results"
    command = "--toy --device cpu --epochs 1 --methods mocov2plus"
    shortened.main([*command.split(), "--out", str(out), "--results", str(results)])
    printed = capsys.readouterr().out
    for regularizer in ("finetune", "cassle", "pnr"):
        assert f"| mocov2plus, {regularizer} | 1 |" in printed
    assert "images / s" in printed
    assert (results / "mocov2plus" / "results.jsonl").is_file()
    assert (results / "table.md").read_text().strip() in printed
    assert not (results / "mocov2plus" / "report.html").exists()
    sizes = [each.stat().st_size for each in results.rglob("*") if each.is_file()]
    assert max(sizes) < 400_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [("--epochs 0 --toy", "--epochs 0"), ("", "--data"), ("--toy --data x", "--data")],
)
def test_what_cannot_be_run_is_refused(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        shortened.main(arguments.split())
    assert message in capsys.readouterr().err


def test_a_comparison_that_fails_ends_the_command(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        shortened.train(["data=nothing"], tmp_path)
    assert stop.value.code
