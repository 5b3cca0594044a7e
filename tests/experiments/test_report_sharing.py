"""A report may be given to anybody: it holds no path, and nothing that acts."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from experiments.report import write_report
from experiments.reporting.export import defused
from experiments.reporting.sharing import absolute_paths, shortening
from tests.experiments.made_runs import PROBES, read_lines, write_lines, write_run

pytestmark = pytest.mark.usefixtures("uncovered")

SECRET = "/home/someone/secret project"
FILES = ("report.html", "table.csv", "table.tex")

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+cmd",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    r"\input{/etc/passwd}",
    "$x^2_3$ & 5% #1 ~{}",
    "$\\frac{$",
    "line\n\nbreak",
    "{{ title }}",
    "née 猫",
)


def texts(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_bytes().decode() for name in FILES}


def test_no_file_of_a_report_holds_an_absolute_path(tmp_path: Path) -> None:
    settings = {
        "data.path": f"{SECRET}/images.npz",
        "data.classes": f"{SECRET}/classes.txt",
        "init": f"{SECRET}/weights.pt",
    }
    for name in ("one", "two"):
        probes = {"linear": f"linear (weights of '{SECRET}/probe.pt')"}
        folder = write_run(tmp_path / name, settings=settings, probes=probes)
        downstream = f"downstream={{birds: {{path: '{SECRET}/birds'}}}}"
        lines = read_lines(folder)
        lines[0]["module"] = f"{SECRET}/module.py"
        lines[1]["overrides"].append(downstream)
        write_lines(folder, lines)
    told = write_report([tmp_path], tmp_path)
    assert f"finetune with seed 0 is in {tmp_path / 'one'}" in told
    for name, text in texts(tmp_path).items():
        for hidden in ("someone", "secret", str(tmp_path), str(tmp_path.parent)):
            assert hidden not in text, (name, hidden)
    page = texts(tmp_path)["report.html"]
    for kept in ("digits from .../images.npz", "begun with .../weights.pt", ".../two"):
        assert kept in page


def test_runs_of_paths_with_one_name_stay_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        path = f"/data/{name}/images.npz"
        write_run(tmp_path / name, names=["pnr"], settings={"data.path": path})
    write_report([tmp_path], tmp_path)
    rows = list(csv.DictReader(io.StringIO(texts(tmp_path)["table.csv"])))
    settings = {row["setting"] for row in rows if row["name"] == "pnr"}
    assert settings == {"path=.../a/images.npz", "path=.../b/images.npz"}


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("/a/b", ".../b"),
        ("data.path=/a/my folder/b.npz", "data.path=.../b.npz"),
        ("/d/a-{0..9}.tar::/d/b.tar", ".../a-{0..9}.tar::.../b.tar"),
        ("{p: '/a b/c', q: /d/e}", "{p: '.../c', q: .../e}"),
        (r"C:\Users\me\x.npz", ".../x.npz"),
        ("//server/share/x", ".../x"),
        ("file:///home/me/x", "file://.../x"),
        ("https://host:80/x/y", "https://host:80/x/y"),
        ("runs/x, ../y and/or 1/2 at the end / start", None),
    ],
)
def test_absolute_paths_end_where_they_are_told_apart(
    text: str, shared: str | None
) -> None:
    shorten = shortening(absolute_paths(text) | {"/z"})
    assert shorten(text) == (shared or text)


def test_paths_that_end_alike_are_shown_as_long_as_need_be() -> None:
    shorten = shortening({"/x/a", "/y/a", "/a", "/x/a/b"})
    assert shorten("/x/a /y/a /a /x/a/b") == ".../x/a .../y/a .../a .../b"


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("-1.5", "-1.5"),
        ("-1e-05", "-1e-05"),
        ("+3", "+3"),
        (-1.5, -1.5),
        ("pnr", "pnr"),
        ("-2+3", "'-2+3"),
        ("=1", "'=1"),
        (" =1", "' =1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\nx"),
        ("a\r=x", "a\n=x"),
        ("+x", "'+x"),
        ("\uff1d1", "'\uff1d1"),
    ],
)
def test_cells_are_no_formulas_and_numbers_stay_numbers(
    cell: object, safe: object
) -> None:
    assert defused(cell) == safe


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(HOSTILE, id="all at once"),
        *(pytest.param((name,), id=name, marks=pytest.mark.slow) for name in HOSTILE),
    ],
)
def test_names_of_any_kind_are_shown_and_do_nothing(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    """Of regularizers, data, settings, data sets never seen and folders."""
    first = names[0]
    settings = {"data.name": first.replace("${", "$")}
    settings |= {f"method.note{number}": name for number, name in enumerate(names)}
    for seed in (0, 1):
        run = write_run(
            tmp_path / f"{first.replace('/', '_')}{seed}",
            seed,
            names=["finetune", *names],
            trained=3,
            tested=3,
            probes={"linear": " ".join([PROBES["linear"], *names])},
            settings=settings,
            features="/" not in "".join(names),
        )
        write_lines(
            run, [each for line in read_lines(run) for each in own(line, names)]
        )
    write_report([tmp_path], tmp_path)
    files = texts(tmp_path)
    for tag in ("<script", "<img src=x"):
        assert tag not in files["report.html"]
    rows = list(csv.reader(io.StringIO(files["table.csv"], newline="")))
    for cell in (cell for row in rows for cell in row):
        assert cell[:1] not in tuple("=@\t\r\n") or cell == ""
        assert cell[:1] not in ("+", "-") or float(cell)
    for name in names:
        shown = name.replace("\r", "\n")
        assert any(shown in cell for row in rows for cell in row)
    body = [each for each in files["table.tex"].splitlines() if each[:1] != "%"]
    assert not any(r"\input" in line or "<br" in line for line in body)
    assert all(line.count("&") >= 1 for line in body if line.endswith(r"\\"))


def own(line: dict[str, Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The line, or one for each name if it is of the data never seen."""
    if line.get("metric") != "Linear_Acc_Downstream_flowers":
        return [line]
    return [{**line, "metric": f"Linear_Acc_Downstream_{name}"} for name in names]
