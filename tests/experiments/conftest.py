"""What tests of the main job share."""

from collections.abc import Iterator

import pytest

from experiments import report


@pytest.fixture(scope="module")
def uncovered(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lines that are run are not counted, if they are elsewhere.

    For tests that run none of the package's lines, or many thousand times those that
    its own tests count: it would take twice the time.
    """
    plugin = request.config.pluginmanager.getplugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is None:
        yield
        return
    controller.pause()
    yield
    controller.resume()


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports come without pictures, which take longer to draw than a tiny run takes.

    For tests that are about something else: pictures have tests of their own.
    """
    monkeypatch.setattr(report, "pictures", lambda groups, rows: [])
