"""The accuracy matrix of a run, from the lines it wrote."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from avalanche_pnr.evaluation.accuracy_matrix import Matrix


def read_records(path: str | Path) -> list[dict[str, Any]]:
    """Read a JSON-lines file.

    Args:
        path: The file.

    Raises:
        ValueError: If a line is not JSON; the message names file and line.
    """
    records = []
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error})") from error
    return records


def accuracy_matrix(
    records: Iterable[dict[str, Any]], metric: str, stream: str = "test"
) -> Matrix:
    """Collect a[t, k] from the records of a run.

    Evaluations in the midst of training are left out.

    Args:
        records: Lines written by :class:`~avalanche_pnr.evaluation.JSONLinesLogger`.
        metric: Name of a metric by experience, ``Linear_Acc_Exp`` for example.
        stream: Name of the stream that was evaluated.

    Returns:
        Accuracies (T, K); NaN where the run has not evaluated.

    Raises:
        ValueError: If there is no such record.
    """
    cells = {
        (record["after"] - 1, record["experience"]): record["value"]
        for record in records
        if record.get("metric") == metric
        and record.get("stream") == stream
        and record["after"] > 0
        and "epoch" not in record
    }
    if not cells:
        raise ValueError(f"the records hold no {metric!r} of the {stream} stream")
    shape = tuple(max(index) + 1 for index in zip(*cells, strict=True))
    matrix = np.full(shape, np.nan)
    for index, value in cells.items():
        matrix[index] = value
    return matrix
