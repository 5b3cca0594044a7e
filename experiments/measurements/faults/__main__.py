"""The command line of fault injection."""

import argparse
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.measurements.faults.kinds import FAULTS, Fault
from experiments.measurements.faults.site import Site
from experiments.measurements.faults.trial import Trial, trial, whole


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, inject faults, print; fail if anything is lost."""
    parser = argparse.ArgumentParser(prog="python -m experiments.measurements.faults")
    parser.add_argument("--quick", action="store_true", help="each kind of fault once")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mounts = may_mount(folder)
        faults = [each for each in FAULTS if mounts or not each.mounted]
        counts = {each: each.runs for each in faults}
        if chosen.quick:
            kinds = {each.inject: each for each in reversed(faults)}
            counts = dict.fromkeys(kinds.values(), 1)
        found = run_trials(counts, folder, chosen.jobs, chosen.seed)
    print(f"\n{table(found)}")
    for fault in FAULTS:
        if fault.mounted and not mounts:
            print(f"{fault.name}: left out, since this user may not mount")
    if any(each.lost or not each.clear for trials in found.values() for each in trials):
        raise SystemExit(1)


def run_trials(
    counts: dict[Fault, int], folder: Path, jobs: int, seed: int
) -> dict[Fault, list[Trial]]:
    """Inject each fault into the requested number of runs."""
    expected = {
        workers: whole(folder / f"whole.{workers}", workers)
        for workers in sorted({each.workers for each in counts})
    }
    if len({tuple(each.outcome.items()) for each in expected.values()}) > 1:
        raise RuntimeError("with workers a run ends with other bits than without")

    def run_trial(fault: Fault, index: int) -> Trial:
        place = folder / f"{list(counts).index(fault)}.{index}"
        found = trial(fault, place, expected[fault.workers], seed * 1000 + index)
        lost = f", LOST: {', '.join(found.lost)}" if found.lost else ", bit-identical"
        clear = "" if found.clear else ", NOT CLEAR"
        said = found.said
        if found.clear:
            said = said.partition("; continue with")[0]
        print(f"{fault.name}: {said}{clear}{lost}", flush=True)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        waiting = {
            fault: [pool.submit(run_trial, fault, index) for index in range(count)]
            for fault, count in counts.items()
        }
        return {k: [each.result() for each in v] for k, v in waiting.items()}


def may_mount(folder: Path) -> bool:
    """Return whether this user may mount a file system."""
    site = Site(folder / "mounting")
    try:
        site.mount()
    except (OSError, subprocess.CalledProcessError):
        return False
    site.unmount()
    return True


def table(found: dict[Fault, list[Trial]]) -> str:
    """Table with a line of counts for each fault and for all."""
    every = [each for trials in found.values() for each in trials]
    rows = [
        ("fault", "runs", "ended clearly", "then bit-identical", "lost anything"),
        *((fault.name, *_counts(trials)) for fault, trials in found.items()),
        ("in all", *_counts(every)),
    ]
    return "\n".join(
        f"{row[0]:24}" + "".join(f"{each:>20}" for each in row[1:]) for row in rows
    )


def _counts(trials: list[Trial]) -> tuple[str, ...]:
    clear = sum(each.clear for each in trials)
    lost = sum(bool(each.lost) for each in trials)
    return tuple(map(str, (len(trials), clear, len(trials) - lost, lost)))


if __name__ == "__main__":
    main()
