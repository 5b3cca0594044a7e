"""``python -m experiments.report RUN...``: tables and pictures of finished runs."""

import argparse
import base64
import html
import io
import sys
from pathlib import Path
from string import Template

from hydra.utils import instantiate
from matplotlib.figure import Figure

from experiments import figures
from experiments.results import Row, Run, find_runs, mean_deviation, table

HEADER = ("", "average accuracy", "k-NN", "forgetting")
PICTURES = {
    "accuracy_matrices": (
        figures.accuracy_matrices,
        "Linear accuracy on the test data of each experience (columns) after each "
        "experience (rows); one classifier over all classes, without masking.",
    ),
    "curves": (
        figures.curves,
        "Linear accuracy over the test data of all experiences, future ones "
        "included, after each experience.",
    ),
}


def write_report(folders: list[Path], out: Path) -> str:
    """Write ``report.html`` and its pictures, and return the table as text.

    Args:
        folders: Runs that differ in the seed only, or folders of such runs.
        out: Where to write.
    """
    runs = find_runs(folders)
    rows = table(runs)
    pictures = []
    for name, (draw, caption) in PICTURES.items():
        png = _png(draw(runs))
        _write(out / f"{name}.png", png)
        pictures.append(_html_picture(png, caption))
    page = Template((Path(__file__).parent / "report.html.in").read_text())
    report = page.substitute(
        title=html.escape(_title(runs)),
        protocol=html.escape(_protocol(runs)),
        table=_html_table(rows),
        pictures="\n".join(pictures),
        config=html.escape((runs[0].folder / "config.yaml").read_text()),
    )
    _write(out / "report.html", report.encode())
    return f"\n{_title(runs)}\n{_text_table(rows)}\n\nreport: {out / 'report.html'}"


def _title(runs: list[Run]) -> str:
    config = runs[0].config
    method = config["method"]["_target_"].rpartition(".")[2]
    return (
        f"{method} on {config['data']['name']}, "
        f"{config['stream']['experiences']} experiences, {_seeds(runs)}"
    )


def _seeds(runs: list[Run]) -> str:
    seeds = ", ".join(str(run.config["seed"]) for run in runs)
    return f"seed {seeds}" if len(runs) == 1 else f"seeds {seeds}"


def _protocol(runs: list[Run]) -> str:
    config = runs[0].config
    probes = "; ".join(str(instantiate(probe)) for probe in config["probes"])
    return (
        f"Percent on the test data, {_seeds(runs)}; mean and sample standard deviation "
        "where there are several. Backbone "
        f"{config['backbone']['_target_'].rpartition('.')[2]}, {config['epochs']} "
        f"epochs an experience, batches of {config['batch_size']}. One classifier over "
        "all classes, fitted to the frozen features of all labelled training data: "
        f"{probes}. Average accuracy and forgetting are the linear probe's."
    )


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.average, row.knn, row.forgetting)
    return (row.name, *(mean_deviation(values) for values in numbers))


def _text_table(rows: list[Row]) -> str:
    lines = [HEADER, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _html_table(rows: list[Row]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "\n".join(line(_cells(row), "td") for row in rows)
    return f"<table>\n{line(HEADER, 'th')}\n{body}\n</table>"


def _html_picture(png: bytes, caption: str) -> str:
    data = base64.b64encode(png).decode()
    text = html.escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.report", description=__doc__
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, help="default: the first RUN")
    arguments = parser.parse_args()
    out = arguments.out or arguments.runs[0]
    try:
        out.mkdir(parents=True, exist_ok=True)
        print(write_report(arguments.runs, out))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
