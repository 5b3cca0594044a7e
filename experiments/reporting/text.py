"""The table as a terminal shows it."""

import textwrap
from collections.abc import Iterable, Sequence

from experiments.reporting.rows import Row
from experiments.reporting.table import Table
from experiments.reporting.tables import essential_table

GAP = "  "
WIDTH = 100


def text_table(rows: Sequence[Row]) -> str:
    """The essential figures with aligned columns, and what they mean."""
    table = essential_table(rows)
    if not table.columns:
        return ""
    heads = [[column.title, column.probe] for column in table.columns]
    lines = zip(*[["", ""], *heads], strict=True)
    body = zip(_labels(rows), *(column.cells for column in table.columns), strict=True)
    return "\n".join([*_aligned([*lines, *body]), *_notes(table)])


def paragraphs(texts: Iterable[str]) -> list[str]:
    """Texts in lines of a terminal's width."""
    return [textwrap.fill(text, WIDTH, subsequent_indent=GAP) for text in texts]


def _labels(rows: Sequence[Row]) -> list[str]:
    """Labels, with the number of seeds where not all rows have the same."""
    counts = [len(row.seeds) for row in rows]
    if len(set(counts)) == 1:
        return [row.label for row in rows]
    return [
        f"{row.label} ({n} seed{'s' * (n > 1)})"
        for row, n in zip(rows, counts, strict=True)
    ]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    first, *others = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        GAP.join([label.ljust(first), *map(str.rjust, cells, others)])
        for label, *cells in lines
    ]


def _notes(table: Table) -> list[str]:
    notes = [f"{title}: {meaning}" for title, meaning in table.notes.items()]
    return ["", *paragraphs(notes)]
