"""Results of a run, read back as records and as its accuracy matrix."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from avalanche_pnr.evaluation.accuracy_matrix import Matrix

MOST_EXPERIENCES = 10_000
"""Largest number of experiences, so that the accuracy matrix fits into memory."""
LARGEST = 1e100
"""Largest value of a metric, whose square is still finite."""
LONGEST_LINE = 2**20
"""Largest length of a line, in bytes."""


class Kind(NamedTuple):
    """A kind of value that a field may hold.

    Attributes:
        fits: Function that returns whether a value is of the kind.
        description: The kind in words.
    """

    fits: Callable[[Any], bool]
    description: str


def whole_number(least: int, most: int) -> Kind:
    """Accept whole numbers in a range, both ends included."""

    def fits(value: Any) -> bool:
        return type(value) is int and least <= value <= most

    return Kind(fits, f"a whole number from {least} to {most}")


def _is_text(value: Any) -> bool:
    # Halves of characters, which JSON and YAML can write, are no text to be printed.
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return value != value or -LARGEST <= value <= LARGEST  # NaN, or in the range


TEXT = Kind(_is_text, "text")
NUMBER = Kind(_is_number, f"a number up to {LARGEST:g}, or NaN where it is not defined")
FIELDS = {
    "metric": TEXT,
    "value": NUMBER,
    "stream": TEXT,
    "after": whole_number(0, MOST_EXPERIENCES),
    "experience": whole_number(0, MOST_EXPERIENCES - 1),
    "epoch": whole_number(0, 2**31),
}
"""Fields written by :class:`~avalanche_pnr.evaluation.JSONLinesLogger`."""


def misfits(values: Mapping[str, Any], kinds: Mapping[str, Kind]) -> list[str]:
    """Describe the values that are not of their kind, as sentences.

    Args:
        values: Values by name; those without a kind are not checked.
        kinds: Kind of each value by name.
    """
    return [
        f"{name} must be {kind.description}, not {shortened(values[name])}"
        for name, kind in kinds.items()
        if name in values and not kind.fits(values[name])
    ]


def shortened(value: Any) -> str:
    """Show a value of unknown size in a message."""
    text = (
        ascii(value) if isinstance(value, str | int | float) else type(value).__name__
    )
    return text if len(text) <= 60 else f"{text[:60]}..."


def read_records(path: str | Path) -> list[dict[str, Any]]:
    """Read a JSON-lines file.

    Args:
        path: The file.

    Raises:
        ValueError: If a line is not a JSON object, or a value in it is of another kind
            or range than :class:`~avalanche_pnr.evaluation.JSONLinesLogger` writes; the
            message names file and line.
    """
    records = []
    for number, line in enumerate(_lines(Path(path)), start=1):
        try:
            records.append(_record(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return records


def accuracy_matrix(
    records: Iterable[dict[str, Any]], metric: str, stream: str = "test"
) -> Matrix:
    """Collect a[t, k] from the records of a run.

    Evaluations in the midst of training are left out.

    Args:
        records: Lines written by :class:`~avalanche_pnr.evaluation.JSONLinesLogger`.
        metric: Name of a metric by experience, for example ``Linear_Acc_Exp``.
        stream: Name of the stream that was evaluated.

    Returns:
        Accuracies (T, K), NaN where there is no record.

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


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            yield line


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 ({error.reason})") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, too
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(record, dict):
        raise ValueError(f"no JSON object, but {shortened(record)}")
    if wrong := misfits(record, FIELDS):
        raise ValueError(wrong[0])
    return record
