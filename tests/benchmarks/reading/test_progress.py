"""Progress bars: on a terminal, and nowhere else."""

import io
import sys

import pytest

from avalanche_pnr.benchmarks.reading.progress import progress


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("file", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_a_bar_is_shown_on_a_terminal_alone(
    file: type[io.StringIO], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))  # seconds; bars appear after one
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(clock)))
    monkeypatch.setattr(sys, "stderr", file())
    assert list(progress(range(3), "looking")) == [0, 1, 2]
    written: str = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert ("looking" in written) == shown
