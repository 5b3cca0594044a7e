"""One run that is hit by a fault, and continued."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from experiments.measurements.faults.kinds import Fault, MissedError, Target
from experiments.measurements.faults.site import Site

TRIES = 100
"""Number of moments drawn until a fault finds something to hit."""


@dataclass(frozen=True)
class Whole:
    """A run without faults.

    Attributes:
        outcome: Fingerprints of its results.
        seconds: Its duration in seconds.
    """

    outcome: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Trial:
    """The outcome of a run that was hit by a fault.

    Attributes:
        clear: Whether it ended as it should after the fault.
        said: Its last line, or all its output if it did not end as it should.
        lost: Names of the results that differ in any bit from those without faults.
    """

    clear: bool
    said: str
    lost: tuple[str, ...]


def whole(folder: Path, workers: int) -> Whole:
    """Run without a fault.

    Raises:
        RuntimeError: If the run fails.
    """
    site, start = Site(folder, workers), time.monotonic()
    end = site.start().ended()
    if end.code:
        raise RuntimeError(f"a run fails without any fault:\n{end.text}")
    return Whole(site.outcome(), time.monotonic() - start)


def trial(fault: Fault, folder: Path, expected: Whole, seed: int) -> Trial:
    """Hit a run with a fault at a random moment, and continue it.

    Args:
        fault: The fault.
        folder: Folder for its sites; the last one is kept if anything is lost.
        expected: A run without faults.
        seed: Seed of the moment.

    Raises:
        RuntimeError: If there is nothing to hit at any moment.
    """
    rng = Random(seed)
    for _ in range(TRIES):
        site = Site(folder, fault.workers)
        if fault.mounted:
            site.mount()
        try:
            result = _injected(fault, site, expected, rng)
        except (MissedError, ProcessLookupError):  # it has just ended by itself
            result = None
        finally:
            if fault.mounted:
                site.unmount()
        if result is None or not result.lost:
            shutil.rmtree(folder)
        if result is not None:
            return result
    raise RuntimeError(f"{fault.name} has found nothing to hit in {TRIES} runs")


def _injected(fault: Fault, site: Site, expected: Whole, rng: Random) -> Trial:
    run = site.start()
    if not run.lasts(rng.uniform(0, expected.seconds)):
        raise MissedError
    try:
        with fault.inject(Target(site, run, rng)):
            stopped = run.ended()
        if not stopped.code:  # it has not noticed
            raise MissedError
        end = site.start().ended()
    except TimeoutError as error:
        return Trial(False, str(error), ("it hangs",))
    finally:
        run.process.kill()
        run.process.join()
    clear = fault.is_clear(stopped)
    said = stopped.last_line if clear else stopped.text
    if end.code:
        return Trial(clear, said, (f"refused: {end.last_line}",))
    found = site.outcome()
    names = sorted(found.keys() | expected.outcome.keys())
    different = (n for n in names if found.get(n) != expected.outcome.get(n))
    return Trial(clear, said, tuple(different))
