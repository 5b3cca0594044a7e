"""Parts of a report: tables as text and HTML, pictures inside the page."""

import base64
import html
import io
from pathlib import Path

from matplotlib.figure import Figure

from experiments.results import Row, mean_deviation

HEADER = ("", "average accuracy", "k-NN", "forgetting")


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.average, row.knn, row.forgetting)
    return (row.name, *(mean_deviation(values) for values in numbers))


def text_table(rows: list[Row]) -> str:
    """The table with aligned columns."""
    lines = [HEADER, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def html_table(rows: list[Row]) -> str:
    """The table as HTML."""

    def line(cells: tuple[str, ...], tag: str) -> str:
        inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "\n".join(line(_cells(row), "td") for row in rows)
    return f"<table>\n{line(HEADER, 'th')}\n{body}\n</table>"


def html_picture(png: bytes, caption: str) -> str:
    """A PNG with its caption, without a file beside the page."""
    data = base64.b64encode(png).decode()
    text = html.escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)
