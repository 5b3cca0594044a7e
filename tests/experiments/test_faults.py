"""Faults are injected, survived and counted; one that does damage is found out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from experiments.measurements.faults import __main__ as faults
from experiments.measurements.faults.fingerprint import fingerprint
from experiments.measurements.faults.kinds import (
    FAULTS,
    Fault,
    MissedError,
    Target,
    is_killed,
    killed,
)
from experiments.measurements.faults.process import End
from experiments.measurements.faults.trial import Trial


def test_a_fingerprint_tells_every_bit() -> None:
    state = {"a": [torch.zeros(2), 1], "b": ("text", None)}
    same = {"a": [torch.zeros(2), 1], "b": ("text", None)}
    assert fingerprint(state) == fingerprint(same)
    others = [
        {"a": [torch.tensor([0.0, 1e-45]), 1], "b": ("text", None)},
        {"a": [torch.zeros(2, dtype=torch.int32), 1], "b": ("text", None)},
        {"a": [torch.zeros(2), True], "b": ("text", None)},
        {"a": [torch.zeros(2)], "b": (1, "text", None)},
        {"b": ("text", None), "a": [torch.zeros(2), 1]},
    ]
    assert len({fingerprint(each) for each in [state, *others]}) == 1 + len(others)


def test_the_last_line_is_what_follows_the_progress_bar() -> None:
    assert End(1, "a\n 3/6: 50%\r   \rerror: no\n").last_line == "error: no"
    assert End(1, "").last_line == ""


def test_a_hundred_runs_are_hit_and_counted() -> None:
    assert sum(fault.runs for fault in FAULTS) == 100
    good, bad = Trial(True, "", ()), Trial(False, "", ("results",))
    lines = faults.table({FAULTS[0]: [good, good], FAULTS[2]: [bad]}).splitlines()
    assert lines[1].split() == ["SIGKILL", "2", "2", "2", "0"]
    assert lines[2].split() == ["SIGTERM", "1", "0", "0", "1"]
    assert lines[3].split() == ["in", "all", "3", "2", "2", "1"]


@pytest.mark.slow
def test_nothing_is_lost_by_any_fault(capsys: pytest.CaptureFixture[str]) -> None:
    faults.main(["--quick", "--jobs", "2"])
    assert capsys.readouterr().out.count("bit-identical\n") >= 7


@contextmanager
def tampered(target: Target) -> Iterator[None]:
    """Somebody rounds a number in the results."""
    with killed(target):
        target.run.ended()
        path = target.site.out / "results.jsonl"
        lines = path.read_text() if path.exists() else ""
        if '"skipped": 0' not in lines:
            raise MissedError
        path.write_text(lines.replace('"skipped": 0', '"skipped": 1'))
        yield


@pytest.mark.slow
def test_damage_is_found_out(tmp_path: Path) -> None:
    fault = Fault("tampering", tampered, is_killed, runs=1)
    found = faults.run_trials({fault: 1}, tmp_path, jobs=1, seed=0)
    assert found[fault][0].lost == ("results",)
