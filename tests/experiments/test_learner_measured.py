"""Memory and speed of a learner, as docs/learner.md quotes them."""

import json
from pathlib import Path

import pytest

from experiments.measurements import learner


@pytest.mark.slow
def test_memory_and_speed_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "figures.json"
    sizes = ["--images", "256", "300", "--speed", "4", "2", "--rounds", "1"]
    monkeypatch.setattr("sys.argv", ["learner", *sizes, "--json", str(out)])
    learner.main()
    small, large, *memory = json.loads(out.read_text())
    assert (small["pixels"], large["pixels"]) == (32, 224)
    assert all(small[ending] > 0 for ending in (".csv", ".npz", ".parquet"))
    assert [each["images"] for each in memory] == [256, 300]
    assert all(each["learn, MB"] > 100 for each in memory)


def test_a_command_that_fails_is_not_measured(tmp_path: Path) -> None:
    # Of a wrong option it is told before the networks' libraries are imported.
    with pytest.raises(ChildProcessError, match=r"info lerner=.* ended with 1"):
        learner.peak_memory("info", f"lerner={tmp_path}")
