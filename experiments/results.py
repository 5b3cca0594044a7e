"""What runs wrote, read back: every table and figure starts here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from avalanche_pnr.evaluation import (
    accuracy_matrix,
    average_accuracy,
    forgetting,
    read_records,
)
from avalanche_pnr.evaluation.accuracy_matrix import Matrix
from experiments.run import CONFIG, REFERENCES, RESULTS

LINEAR, KNN = "Linear_Acc_Exp", "Knn_Acc_Exp"


@dataclass(frozen=True)
class Run:
    """One finished run: its configuration and the lines it wrote."""

    folder: Path
    config: dict[str, Any]
    records: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """What was judged: references first, then regularizers."""
        return [*self.config["references"], *self.config["regularizers"]]

    @property
    def command(self) -> list[str]:
        """Arguments of the command line."""
        return list(self.of("command")[0]["overrides"])

    @property
    def experiences(self) -> int:
        """Experiences that were trained on."""
        return int(self.of("stream")[0]["train"])

    @property
    def test_experiences(self) -> int:
        """Experiences that were judged on."""
        return int(self.of("stream")[0]["test"])

    def of(self, name: str) -> list[dict[str, Any]]:
        """Lines of one regularizer or reference."""
        return [record for record in self.records if record["run"] == name]

    def matrix(self, name: str, metric: str) -> Matrix:
        """a[t, k] of a regularizer; of a reference, its one row (1, K)."""
        records = self.of(name)
        if name in REFERENCES:
            records = [{**record, "after": 1} for record in records]
        return accuracy_matrix(records, metric)


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises:
        FileNotFoundError: If the folder does not hold a run.
        ValueError: If the run is incomplete.
    """
    for name in (CONFIG, RESULTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} holds no run: {name} is missing")
    config = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))
    assert isinstance(config, dict)
    settings = {str(key): value for key, value in config.items()}
    run = Run(folder, settings, read_records(folder / RESULTS))
    check_complete(run)
    return run


def check_complete(run: Run) -> None:
    """Refuse a run that was cut off.

    Raises:
        ValueError: If an accuracy is missing; the message names folder and part.
    """
    for name in run.names:
        rows = 1 if name in REFERENCES else run.experiences
        cells = [each for each in run.of(name) if each.get("metric") == KNN]
        if len(cells) < rows * run.test_experiences:
            raise ValueError(
                f"{run.folder} is incomplete: it stops at {name!r} after "
                f"{len(cells) // run.test_experiences} of {rows} evaluations; remove "
                "it, or run its command again with another out="
            )


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


@dataclass(frozen=True)
class Row:
    """One line of the table: values of each seed."""

    name: str
    average: list[float]
    knn: list[float]
    forgetting: list[float]


def table(runs: list[Run]) -> list[Row]:
    """References first, then the regularizers in the order of the configuration."""
    rows = []
    for name in runs[0].names:
        linear = [run.matrix(name, LINEAR) for run in runs]
        knn = [run.matrix(name, KNN) for run in runs]
        drops = [] if name in REFERENCES else [forgetting(a) for a in linear]
        rows.append(
            Row(
                name,
                [average_accuracy(a) for a in linear],
                [average_accuracy(a) for a in knn],
                drops,
            )
        )
    return rows


def mean_deviation(values: list[float]) -> str:
    """Percent, with the sample standard deviation where there are several values."""
    if not values or not np.isfinite(values).all():
        return "n/a"
    mean = f"{100 * np.mean(values):.1f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {100 * np.std(values, ddof=1):.1f}"
