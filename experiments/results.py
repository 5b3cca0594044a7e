"""Results of runs, read back: every table and figure starts here."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from avalanche_pnr.evaluation import accuracy_matrix
from avalanche_pnr.evaluation.accuracy_matrix import Matrix
from experiments.constants import CONFIG, JOINT, REFERENCES
from experiments.run_files import read_files

_ACCURACY = re.compile(r"(\w+)_Acc_Exp")
_OTHER_READINGS = ("_TaskAware", "_Top5")


@dataclass(frozen=True)
class Run:
    """One finished run: its configuration and the lines it wrote.

    Attributes:
        folder: Folder of the run.
        config: Its configuration.
        records: The lines it wrote.
        title: Name of the run in a report.
    """

    folder: Path
    config: dict[str, Any]
    records: list[dict[str, Any]]
    title: str = ""

    @property
    def names(self) -> list[str]:
        """Names of all that was evaluated: references first, then regularizers."""
        return [*self.config["references"], *self.config["regularizers"]]

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.config["seed"])

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration by the names that a command line has for its values.

        Paths into the run's own folder are left out.
        """
        out = f"{self.config.get('out')}/"

        def own(value: Any) -> bool:
            return isinstance(value, str) and f"{value}/".startswith(out)

        return {
            name: value
            for name, value in _flatten(self.config)
            if name != "out" and not own(value)
        }

    @property
    def command(self) -> list[str]:
        """Arguments of the command line."""
        return [each for line in self.of("command") for each in line["overrides"]]

    @property
    def experiences(self) -> int:
        """Number of training experiences."""
        return int(self.of("stream")[0]["train"])

    @property
    def test_experiences(self) -> int:
        """Number of test experiences."""
        return int(self.of("stream")[0]["test"])

    @property
    def has_accuracies(self) -> bool:
        """True if there are at least two classes to distinguish."""
        return bool(self.of("stream")[0].get("classes", 2) > 1)

    @cached_property
    def probes(self) -> dict[str, str]:
        """Name and description of each probe, the main one first.

        Older runs describe none: there the names are those of the metrics.
        """
        for line in self.of("probes"):
            return dict(zip(line["names"], line["descriptions"], strict=True))
        heads = [m[1] for _, name in self._lines if (m := _ACCURACY.fullmatch(name))]
        return {
            head.lower(): "" for head in heads if not head.endswith(_OTHER_READINGS)
        }

    @property
    def probe(self) -> str:
        """The main probe, of which all figures over the stream are."""
        return next(iter(self.probes))

    @property
    def metrics(self) -> list[str]:
        """Names of all metrics, in the order they first come."""
        return list(dict.fromkeys(metric for _, metric in self._lines))

    def of(self, name: str) -> list[dict[str, Any]]:
        """Lines of one regularizer or reference."""
        return [record for record in self.records if record["run"] == name]

    def evaluations(self, name: str) -> int:
        """Number of evaluations of a regularizer or reference."""
        return 1 if name in (*REFERENCES, JOINT) else self.experiences

    def matrix(self, name: str, metric: str) -> Matrix:
        """a[t, k] of a regularizer; of references and joint training, one row (1, K).

        Raises:
            ValueError: If the run holds no such metric.
        """
        return accuracy_matrix(self._lines.get((name, metric), ()), metric)

    def series(self, name: str, metric: str) -> dict[int, float]:
        """A metric of the whole stream, by the number of experiences trained before."""
        lines = self._lines.get((name, metric), ())
        return {record["after"]: record["value"] for record in lines}

    def cells(self, name: str, metric: str) -> int:
        """Number of values of the matrix in the run; two of one cell count once."""
        return len(
            {
                (record["after"], record.get("experience"))
                for record in self._lines.get((name, metric), ())
                if record["stream"] == "test" and record["after"] > 0
            }
        )

    def holds(self, name: str, metric: str) -> bool:
        """Return whether the run holds all values of a metric."""
        return (name, metric) in self._lines and bool(
            np.isfinite(self.matrix(name, metric)).all()
        )

    @cached_property
    def _lines(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Evaluations after training, by name and metric; untrained networks' as 1."""
        lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for record in self.records:
            if "stream" not in record or "epoch" in record:
                continue
            if record["run"] in REFERENCES:
                record = {**record, "after": 1}
            lines.setdefault((record["run"], record["metric"]), []).append(record)
        return lines


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises:
        FileNotFoundError: If the folder does not hold a run.
        ValueError: If the run is incomplete, or a file of it damaged.
    """
    run = Run(folder, *read_files(folder), title=str(folder))
    check_complete(run)
    return run


def check_complete(run: Run) -> None:
    """Refuse a run that was cut off.

    Raises:
        ValueError: If an accuracy of the main probe is missing or, without accuracies,
            a figure of the representation; the message names folder and value.
    """
    again = "remove it, or run its command again with another out="
    if not run.of("stream") or not run.probes:
        raise ValueError(
            f"{run.folder} is incomplete: it stops before the first evaluation; {again}"
        )
    metric, columns = "EffectiveRank_Stream", 1
    if run.has_accuracies:
        metric, columns = f"{run.probe.capitalize()}_Acc_Exp", run.test_experiences
    for name in run.names:
        rows, cells = run.evaluations(name), run.cells(name, metric)
        if cells < rows * columns:
            raise ValueError(
                f"{run.folder} is incomplete: it stops at {name!r} after "
                f"{cells // columns} of {rows} evaluations; {again}"
            )


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def find_runs(folders: list[Path]) -> list[Run]:
    """All runs in and below some folders.

    Raises:
        FileNotFoundError: If a folder holds none.
    """
    paths: dict[Path, None] = {}
    for folder in folders:
        found = sorted(path.parent.resolve() for path in folder.rglob(CONFIG))
        if not found:
            raise FileNotFoundError(f"{folder} holds no run: {CONFIG} is missing")
        paths |= dict.fromkeys(found)
    return [read_run(path) for path in paths]
