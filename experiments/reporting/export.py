"""Tables for other programs: CSV and LaTeX."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import groupby
from math import isfinite

from experiments.reporting.rows import Row
from experiments.reporting.summaries import Summary
from experiments.reporting.table import Column, Table
from experiments.reporting.tables import BASELINE, difference

CSV_COLUMNS = (
    "setting",
    "name",
    "measure",
    "probe",
    "mean",
    "deviation",
    "n",
    "seeds",
    "difference_to_finetune",
    "low_95",
    "high_95",
)


_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_table(rows: Sequence[Row]) -> str:
    """Format one line for each row and measure, in percent; empty if not defined."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        for measure, values in row.values.items():
            total = Summary.of(values.values())
            gain = difference(rows, row, measure, to=BASELINE)
            gains = (gain.mean, gain.low, gain.high) if gain else ("", "", "")
            seeds = " ".join(map(str, values))
            what = (row.setting, row.name, measure.title, measure.probe)
            numbers = (_number(total.mean), _number(total.deviation), total.n, seeds)
            writer.writerow(map(defused, (*what, *numbers, *gains)))
    return buffer.getvalue()


def defused(cell: object) -> object:
    """Escape a cell that a spreadsheet would take for a formula."""
    if not isinstance(cell, str):
        return cell
    acts = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    text = re.sub("\r\n?", "\n", cell)  # csv does not quote the old kind of line ends
    return f"'{text}" if acts else text


def latex(tables: Sequence[Table], comments: Sequence[str] = ()) -> str:
    r"""Format tables for ``\usepackage{booktabs}``, with comments in front.

    Args:
        tables: Each becomes a ``tabular``.
        comments: The protocol, which belongs with the numbers.
    """
    head = [line for text in comments for line in text.splitlines()]
    return "\n".join([f"% {line}" for line in head] + [_tabular(t) for t in tables])


def _tabular(table: Table) -> str:
    numbers = range(len(table.lines))
    parts = [
        [_line(table.lines[i]) for i in part]
        for _, part in groupby(numbers, lambda i: table.learners[i])
    ]
    body = "\n\\midrule\n".join("\n".join(part) for part in parts)
    notes = [f"% {title}: {meaning}" for title, meaning in table.notes.items()]
    return "\n".join(
        [
            "",
            f"% {table.caption}",
            *notes,
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            _probes(table.columns),
            _line(["", *(column.title for column in table.columns)]),
            r"\midrule",
            body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _probes(columns: Sequence[Column]) -> str:
    """The probe of the numbers, above its columns."""
    spans = [(probe, len(list(part))) for probe, part in probe_spans(columns)]
    cells = [rf"\multicolumn{{{n}}}{{c}}{{{escaped(probe)}}}" for probe, n in spans]
    return " & ".join(["", *cells]) + r" \\"


def probe_spans(columns: Sequence[Column]) -> "groupby[str, Column]":
    """Neighbouring columns of one probe."""
    return groupby(columns, lambda column: column.probe)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    # At the start of a line, a bracket would be read as an option of the last \\.
    "[": "{[}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def escaped(text: str) -> str:
    """Escape text for LaTeX, with minus signs for hyphens before digits."""
    safe = "".join(_SPECIAL.get(each, each) for each in " ".join(text.split()))
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", safe)


def _number(value: float) -> float | str:
    return value if isfinite(value) else ""
