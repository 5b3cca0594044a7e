"""What judging costs, as the README quotes it."""

import json
from pathlib import Path

import pytest

from experiments.measurements import probe_speed


@pytest.mark.slow
def test_a_cache_changes_the_cost_and_not_the_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "figures.json"
    arguments = ["probe_speed", "--quick", "--json", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    probe_speed.main()
    figures = json.loads(out.read_text())
    assert figures["cached, accuracy"] == figures["re-forwarded, accuracy"]
    assert all(value > 0 for name, value in figures.items() if "hours" not in name)
