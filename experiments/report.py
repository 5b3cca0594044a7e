"""``python -m experiments.report RUN...``: tables and pictures of finished runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avalanche_pnr.runs.files import write_whole
from avalanche_pnr.runs.page import inline, names_as_text, page, png
from experiments.reporting import probes, protocol, provenance
from experiments.reporting.conclusions import conclusions
from experiments.reporting.export import csv_table, latex, probe_spans
from experiments.reporting.figures import pictures
from experiments.reporting.rows import Row, rows
from experiments.reporting.sharing import shareable
from experiments.reporting.tables import tables
from experiments.reporting.text import paragraphs, text_table
from experiments.results import Run, find_runs
from experiments.sweep import Group, group_runs

TEMPLATE = Path(__file__).parent / "reporting" / "report.html.jinja"


def write_report(folders: list[Path], out: Path, by: Sequence[str] = ()) -> str:
    """Write ``report.html``, its pictures and tables; return the table as text.

    None of the files holds an absolute path, so that they may be shared.

    Args:
        folders: Runs that differ in the seed only, or a sweep, or folders of them.
        out: Folder to write to.
        by: Settings that distinguish the rows of a sweep; by default all that differ.
    """
    runs = find_runs(folders)
    groups = group_runs(shareable(runs), by)
    each = rows(groups)
    title = protocol.title(_runs(groups))
    warnings, words = protocol.warnings(groups), conclusions(groups)
    write_whole(out / "table.csv", csv_table(each).encode())
    write_whole(
        out / "table.tex", latex(tables(each), [title, *warnings, *words]).encode()
    )
    figures = []
    with names_as_text():
        for picture in pictures(groups, each):
            drawn = png(picture.figure)
            write_whole(out / f"{picture.name}.png", drawn)
            figures.append((inline(drawn), picture.caption))
    content = _content(groups, each)
    html = page(
        TEMPLATE,
        title=title,
        warnings=warnings,
        conclusions=words,
        figures=figures,
        **content,
    )
    write_whole(out / "report.html", html.encode())
    warnings = protocol.warnings(group_runs(runs, by))  # here, with whole paths
    link = f"report: {out / 'report.html'}"
    said = paragraphs(words)
    return "\n".join(["", title, text_table(each), *warnings, "", link, "", *said])


def _content(groups: Sequence[Group], each: Sequence[Row]) -> dict[str, Any]:
    runs = _runs(groups)
    origins, common = provenance.origins(runs)
    return {
        "tables": tables(each),
        "spans": lambda columns: [(p, len(list(c))) for p, c in probe_spans(columns)],
        "facts": protocol.facts(runs),
        "probes": probes.descriptions(runs),
        "fits": probes.fits(groups),
        "environment": provenance.environment(runs),
        "origins": origins,
        "common": common,
    }


def _runs(groups: Sequence[Group]) -> list[Run]:
    return [run for group in groups for run in group.runs]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.report", description=__doc__
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, help="default: the first RUN")
    parser.add_argument(
        "--by",
        nargs="+",
        default=(),
        metavar="NAME",
        help="settings that tell the rows apart; default: all that differ",
    )
    arguments = parser.parse_args()
    out = arguments.out or arguments.runs[0]
    try:
        out.mkdir(parents=True, exist_ok=True)
        print(write_report(arguments.runs, out, arguments.by))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
