"""Results of a comparison as text for a terminal and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.measurements.speed.measure import Ratio

Cell = str | int | float | Ratio
GAP = "  "


@dataclass(frozen=True)
class Table:
    """Figures of one comparison.

    Attributes:
        title: Name of the comparison, with its sizes.
        rows: One mapping of columns to figures each, all with the same columns.
    """

    title: str
    rows: Sequence[Mapping[str, Cell]]

    def __str__(self) -> str:
        head = list(self.rows[0])
        lines = [head, *([_text(row[name]) for name in head] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        body = [
            GAP.join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])])
            for first, *rest in lines
        ]
        return "\n".join([self.title, *body])

    def record(self) -> dict[str, Any]:
        """Convert to data for JSON: ratios become their median, low and high."""
        rows = [
            {
                name: cell._asdict() if isinstance(cell, Ratio) else cell
                for name, cell in row.items()
            }
            for row in self.rows
        ]
        return {"title": self.title, "rows": rows}


def _text(cell: Cell) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
