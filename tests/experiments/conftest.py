"""What tests of the main job share."""

import pytest

from experiments import report


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports come without pictures, which take longer to draw than a tiny run takes.

    For tests that are about something else: pictures have tests of their own.
    """
    monkeypatch.setattr(report, "pictures", lambda groups, rows: [])
