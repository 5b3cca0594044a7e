"""Tables of text cells, for any output format."""

from dataclasses import dataclass, replace
from itertools import compress

from experiments.reporting.summaries import NOT_MEASURED


@dataclass(frozen=True)
class Column:
    """Head and cells of a column.

    Attributes:
        title: Name of the numbers.
        probe: Name of their probe.
        cells: A text for each line of the table.
    """

    title: str
    probe: str
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: Caption of the table.
        labels: Labels of its lines.
        learners: Whether each line is more than a reference.
        columns: Its columns; without any there is nothing to show.
        notes: Footnotes that explain titles and labels.
    """

    caption: str
    labels: list[str]
    learners: list[bool]
    columns: list[Column]
    notes: dict[str, str]

    @property
    def lines(self) -> list[list[str]]:
        """Cells by line, the label first."""
        columns = (self.labels, *(column.cells for column in self.columns))
        return [list(line) for line in zip(*columns, strict=True)]


def without_empty_lines(table: Table) -> Table:
    """Leave out lines without a number in any column."""
    lines = [set(cells) != {NOT_MEASURED} for _, *cells in table.lines]
    columns = [
        replace(column, cells=list(compress(column.cells, lines)))
        for column in table.columns
    ]
    return replace(
        table,
        labels=list(compress(table.labels, lines)),
        learners=list(compress(table.learners, lines)),
        columns=columns,
    )
