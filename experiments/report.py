"""``python -m experiments.report RUN...``: tables and pictures of finished runs."""

import argparse
import html
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any

from hydra.utils import instantiate
from matplotlib.figure import Figure

from experiments import figures
from experiments.page import html_picture, html_table, png, text_table, write
from experiments.results import Row, Run, find_runs, table
from experiments.sweep import Group, group_runs

SWEEP = (
    "Linear probe over all classes after the last experience, and forgetting, for each "
    "setting of the sweep; mean and deviation over seeds."
)
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


def write_report(folders: list[Path], out: Path, by: Sequence[str] = ()) -> str:
    """Write ``report.html`` and its pictures, and return the table as text.

    Args:
        folders: Runs that differ in the seed only, or a sweep, or folders of them.
        out: Where to write.
        by: Settings that tell the rows of a sweep apart; by default all that differ.
    """
    groups = group_runs(find_runs(folders), by)
    runs = [run for group in groups for run in group.runs]
    rows = [row for group in groups for row in _labelled(group)]
    pictures = []
    for name, (picture, caption) in _pictures(groups).items():
        drawn = png(picture)
        write(out / f"{name}.png", drawn)
        pictures.append(html_picture(drawn, caption))
    page = Template((Path(__file__).parent / "report.html.in").read_text())
    report = page.substitute(
        title=html.escape(_title(runs)),
        protocol=html.escape(_protocol(runs)),
        table=html_table(rows),
        pictures="\n".join(pictures),
        config=html.escape((runs[0].folder / "config.yaml").read_text()),
    )
    write(out / "report.html", report.encode())
    return f"\n{_title(runs)}\n{text_table(rows)}\n\nreport: {out / 'report.html'}"


def _labelled(group: Group) -> list[Row]:
    if not group.label:
        return table(group.runs)
    return [
        replace(row, name=f"{group.label}: {row.name}") for row in table(group.runs)
    ]


def _pictures(groups: list[Group]) -> dict[str, tuple[Figure, str]]:
    if len(groups) > 1:
        return {"sweep": (figures.sweep(groups), SWEEP)}
    runs = groups[0].runs
    return {name: (draw(runs), caption) for name, (draw, caption) in PICTURES.items()}


def _title(runs: list[Run]) -> str:
    return (
        f"{_each(runs, lambda run: _target(run, 'method'))} on "
        f"{_each(runs, lambda run: run.config['data']['name'])}, "
        f"{_each(runs, lambda run: run.experiences)} experiences, {_seeds(runs)}"
    )


def _each(runs: list[Run], what: Callable[[Run], Any]) -> str:
    """The value of a setting, or the values that a sweep went through."""
    return ", ".join(dict.fromkeys(str(what(run)) for run in runs))


def _probes(run: Run) -> str:
    probes = run.config["probes"].values()
    return "; ".join(str(instantiate(probe)) for probe in probes)


def _target(run: Run, part: str) -> str:
    return str(run.config[part]["_target_"]).rpartition(".")[2]


def _seeds(runs: list[Run]) -> str:
    seeds = _each(runs, lambda run: run.config["seed"])
    return f"seeds {seeds}" if "," in seeds else f"seed {seeds}"


def _protocol(runs: list[Run]) -> str:
    probes = _each(runs, _probes)
    classes = _each(runs, lambda run: run.config["data"].get("classes", ""))
    chosen = f" Class list {classes}." if classes else ""
    return (
        f"Percent on the test data, {_seeds(runs)}; mean and sample standard deviation "
        f"where there are several.{chosen} Backbone "
        f"{_each(runs, lambda run: _target(run, 'backbone'))}, "
        f"{_each(runs, lambda run: run.config['epochs'])} epochs an experience, "
        f"batches of {_each(runs, lambda run: run.config['batch_size'])}. One "
        "classifier over all classes, fitted to the frozen features of all labelled "
        f"training data: {probes}. Average accuracy and forgetting are those of the "
        "linear probe."
    )


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
