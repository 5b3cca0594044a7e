"""Saving from time to time, and when the process is asked to end."""

import signal

import pytest

from avalanche_pnr.runs import periodic_save
from avalanche_pnr.runs.interruption import InterruptedRunError, Interruption
from avalanche_pnr.runs.periodic_save import PeriodicSave


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Batches:
    """A training that stands somewhere."""

    within_epoch = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(periodic_save, "time", clock)
    return clock


def test_it_saves_at_the_end_of_an_epoch_when_it_is_time(clock: Clock) -> None:
    saved: list[float] = []
    training = Batches()
    saves = PeriodicSave(2, Interruption(), lambda _: saved.append(clock.now))
    for minute in range(8):
        clock.now = 60 * minute
        training.within_epoch = minute in (2, 5)
        saves.checkpoint(training)
    assert saved == [180, 360]
    saves.restart()
    saves.checkpoint(training)
    assert saved == [180, 360]


def test_asked_to_end_it_saves_between_two_batches_and_stops(clock: Clock) -> None:
    saved: list[Batches] = []
    interruption, training = Interruption(), Batches()
    saves = PeriodicSave(100, interruption, saved.append)
    saves.checkpoint(training)
    assert saved == []
    interruption.requested = signal.SIGTERM
    with pytest.raises(InterruptedRunError):
        saves.checkpoint(training)
    assert saved == [training]
