"""Numbers of a report, against numbers computed by hand."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments.report import write_report
from experiments.reporting.export import escaped
from experiments.reporting.summaries import Summary, paired_difference
from tests.experiments.made_runs import (
    matrix_lines,
    read_lines,
    write_lines,
    write_run,
)

pytestmark = pytest.mark.usefixtures("no_pictures", "uncovered")

METRIC = "Linear_Acc_Exp"
MATRICES = {
    "raw pixels": [[0.2, 0.2, 0.2]],
    "random backbone": [[0.1, 0.2, 0.3]],
    "finetune": [[0.9, 0.3, 0.2], [0.7, 0.8, 0.4], [0.5, 0.6, 0.7]],
    "pnr": [[0.9, 0.4, 0.3], [0.8, 0.8, 0.4], [0.8, 0.7, 0.6]],
    "single": [[0.9, 0.0, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 0.75]],
    "joint": [[0.9, 0.9, 0.6]],
}

Values = dict[tuple[str, str], dict[str, str]]


def replace_matrices(folder: Path, matrices: dict[str, list[list[float]]]) -> None:
    lines = [each for each in read_lines(folder) if each.get("metric") != METRIC]
    for name, a in matrices.items():
        lines += matrix_lines(name, METRIC, a)
    write_lines(folder, lines)


def exported(out: Path, probe: str = "linear") -> Values:
    with (out / "table.csv").open() as file:
        lines = list(csv.DictReader(file))
    return {
        (line["name"], line["measure"]): line
        for line in lines
        if line["probe"] == probe
    }


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    names = ["finetune", "pnr", "single", "joint"]
    folder = write_run(tmp_path / "run", names=names, trained=3, tested=3)
    replace_matrices(folder, MATRICES)
    return folder


@pytest.mark.parametrize(
    ("name", "measure", "percent"),
    [
        ("raw pixels", "average accuracy", 20),
        ("single", "average accuracy", 75),
        ("joint", "average accuracy", 80),
        ("finetune", "average accuracy", 60),
        ("pnr", "average accuracy", 70),
        # (0.9 + (0.8 + 0.8) / 2 + (0.8 + 0.7 + 0.6) / 3) / 3
        ("pnr", "average incremental accuracy", 80),
        ("pnr", "forgetting", 10),
        ("finetune", "forgetting", 30),
        ("pnr", "backward transfer", -10),
        # ((0.4 - 0.2) + (0.4 - 0.3)) / 2
        ("pnr", "forward transfer", 15),
        # (((0.4 - 0.6) + (0.3 - 0.75)) / 2 + (0.4 - 0.75)) / 2
        ("pnr", "plasticity", -33.75),
    ],
)
def test_figures_are_those_computed_by_hand(
    name: str, measure: str, percent: float, by_hand: Path, tmp_path: Path
) -> None:
    write_report([by_hand], tmp_path)
    line = exported(tmp_path)[name, measure]
    assert float(line["mean"]) == pytest.approx(percent)
    assert line["n"] == "1"
    assert line["deviation"] == ""


def test_only_what_learns_one_experience_after_the_other_forgets(
    by_hand: Path, tmp_path: Path
) -> None:
    text = write_report([by_hand], tmp_path)
    held = {name for name, measure in exported(tmp_path) if measure == "forgetting"}
    assert held == {"finetune", "pnr"}
    for name in ("joint", "single", "random backbone", "raw pixels"):
        assert re.search(rf"^{name} .*n/a +n/a$", text, re.M)


def test_plasticity_needs_single_experience_training(tmp_path: Path) -> None:
    write_report([write_run(tmp_path / "run")], tmp_path)
    assert {"forgetting", "forward transfer"} <= {m for _, m in exported(tmp_path)}
    assert "plasticity" not in {measure for _, measure in exported(tmp_path)}


def test_the_formula_of_plasticity_is_printed_beside_it(
    by_hand: Path, tmp_path: Path
) -> None:
    text = write_report([by_hand], tmp_path)
    formula = "P = 1/(T-1) Σ_{t=1..T-1} 1/(T-t) Σ_{k>t} (a[t, k] - FT[k])"
    assert formula in text
    assert formula.replace(">", "&gt;") in (tmp_path / "report.html").read_text()
    assert formula in (tmp_path / "table.tex").read_text()


@pytest.mark.parametrize(
    ("name", "note"),
    [
        (
            "single",
            "the mean over k of FT[k], the accuracy of the k-th on the test data",
        ),
        ("joint", "one network, trained once on the data of all experiences"),
    ],
)
def test_rows_that_did_not_go_through_the_stream_say_what_they_are(
    name: str, note: str, tmp_path: Path
) -> None:
    for other in ("single", "joint"):
        folder = write_run(tmp_path / other, names=["pnr", other], everything=False)
        text = write_report([folder], tmp_path)
        page = (tmp_path / "report.html").read_text()
        first, _ = page.split("Over the stream, in percentage points")
        told = other == name
        assert (note in " ".join(text.split())) == told
        assert (f"<dt>{name}</dt><dd>" in first and note in first) == told
        tex = (tmp_path / "table.tex").read_text()
        assert bool(re.search(rf"^% {name}: .*{re.escape(note)}", tex, re.M)) == told


def test_single_models_on_data_never_seen_are_a_mean_and_say_so(by_hand: Path) -> None:
    write_report([by_hand], by_hand)
    page = (by_hand / "report.html").read_text()
    _, never_seen = page.split("Accuracy on data sets never seen")
    note = "the mean over T networks, each trained on one experience alone"
    assert f"<dt>single</dt><dd>{note}</dd>" in never_seen


@pytest.mark.parametrize("main", ["online", "knn"])
def test_probes_that_see_future_classes_are_marked_wherever_their_numbers_stand(
    main: str, tmp_path: Path
) -> None:
    probes = {
        "knn": "knn (k = 20)",
        "online": "online (trained beside the network, sees future classes)",
    }
    probes = {main: probes[main], **probes}
    folder = write_run(tmp_path / "run", names=["finetune", "pnr"], probes=probes)
    text = write_report([folder], tmp_path)
    page = (tmp_path / "report.html").read_text()
    tex = (tmp_path / "table.tex").read_text()
    mark = "online (sees future classes)"
    warning = f"the online probe sees future classes: {probes['online']}"
    assert warning in text.splitlines()
    assert f'<p class="warning">{warning}</p>' in page
    assert f"% {warning}" in tex
    (heads,) = (line for line in text.splitlines() if re.match(" +(online|knn) ", line))
    assert heads.count("online") == heads.count(mark) > 0
    assert re.findall(r'<th class="probe"[^>]*>(online[^<]*)<', page)[0] == mark
    assert not re.search(r">online</th>|{online}", page + tex)
    assert f"{{{mark}}}" in tex
    assert "knn (sees" not in text + page + tex
    assert exported(tmp_path, mark)["pnr", "average accuracy"]
    assert not exported(tmp_path, "online")


def test_data_il_has_no_forgetting_and_says_so(tmp_path: Path) -> None:
    names = ["finetune", "pnr", "single", "joint"]
    folder = write_run(tmp_path / "run", names=names, trained=4, tested=1)
    text = write_report([folder], tmp_path)
    assert re.search(r"^pnr +\d+\.\d +\d+\.\d +not defined +not defined$", text, re.M)
    held = exported(tmp_path)
    for measure in ("forgetting", "backward transfer", "plasticity"):
        assert held["pnr", measure]["mean"] == ""
    page = (tmp_path / "report.html").read_text()
    # Average incremental accuracy, forgetting, both transfers, plasticity.
    assert page.count("<td>not defined</td>") == 5 * 2


def test_single_models_of_data_il_are_judged_on_the_one_test_set(
    tmp_path: Path,
) -> None:
    folder = write_run(tmp_path / "run", names=["single"], trained=3, tested=1)
    column = {"single": [[0.2], [0.4], [0.9]]}
    references = {name: [[0.1]] for name in ("raw pixels", "random backbone")}
    replace_matrices(folder, {**column, **references})
    write_report([folder], tmp_path)
    single = exported(tmp_path)["single", "average accuracy"]
    assert float(single["mean"]) == pytest.approx(50)


def test_seeds_give_mean_and_sample_deviation(tmp_path: Path) -> None:
    for seed, value in enumerate((0.2, 0.3, 0.7)):
        folder = write_run(tmp_path / f"{seed}", seed, names=["pnr"], tested=1)
        pnr, reference = [[0.0]] * 4 + [[value]], [[0.1]]
        names = ("raw pixels", "random backbone")
        replace_matrices(folder, {"pnr": pnr, **dict.fromkeys(names, reference)})
    text = write_report([tmp_path], tmp_path)
    assert re.search(r"^pnr +40\.0 ± 26\.5 ", text, re.M)
    assert exported(tmp_path)["pnr", "average accuracy"]["seeds"] == "0 1 2"


def test_rows_of_fewer_seeds_say_how_many(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"{seed}", seed, names=["finetune", "pnr"])
    write_run(tmp_path / "joint", 1, names=["joint"])
    text = write_report([tmp_path], tmp_path)
    assert re.search(r"^pnr \(2 seeds\) +\d", text, re.M)
    assert re.search(r"^joint \(1 seed\) +\d", text, re.M)


def test_differences_are_paired_by_seed_with_students_interval() -> None:
    values = {0: 0.5, 1: 0.6, 2: 0.65, 7: 0.0}
    baseline = {2: 0.6, 1: 0.58, 0: 0.49, 9: 1.0}
    found = paired_difference(values, baseline)
    gains = np.array([1.0, 2.0, 5.0])
    test = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    assert found is not None
    assert found.mean == pytest.approx(gains.mean())
    assert (found.low, found.high) == pytest.approx((test.low, test.high))
    assert str(found) == "+2.7 [-2.5, 7.8]"


def test_equal_gains_have_an_interval_of_no_width() -> None:
    assert str(paired_difference({0: 0.5, 1: 0.75}, {0: 0.25, 1: 0.5})) == (
        "+25.0 [25.0, 25.0]"
    )


@pytest.mark.parametrize(
    ("values", "baseline"),
    [
        ({0: 0.5}, {0: 0.4}),
        ({0: 0.5, 1: 0.4}, {1: 0.4, 2: 0.3}),
        ({}, {}),
        ({0: float("nan"), 1: float("nan")}, {0: 0.1, 1: 0.1}),
    ],
)
def test_differences_need_two_common_seeds_with_defined_figures(
    values: dict[int, float], baseline: dict[int, float]
) -> None:
    assert paired_difference(values, baseline) is None


def test_the_table_shows_differences_to_finetuning(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        write_run(tmp_path / f"{seed}", seed)
    text = write_report([tmp_path], tmp_path)
    interval = r"[+-]\d+\.\d \[-?\d+\.\d, -?\d+\.\d\]"
    assert re.search(rf"^pnr .* {interval} +n/a$", text, re.M)
    assert re.search(rf"^finetune .* n/a +{interval}$", text, re.M)
    assert max(map(len, text.splitlines()[:-2])) <= 110


def test_one_seed_has_no_column_of_differences(tmp_path: Path) -> None:
    assert "difference" not in write_report([write_run(tmp_path / "run")], tmp_path)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "n/a"),
        ([float("nan")], "not defined"),
        ([float("nan"), 0.1], "not defined"),
        ([0.123], "12.3"),
        ([-0.0001], "0.0"),
        ([0.1, 0.2], "15.0 ± 7.1"),
    ],
)
def test_summaries_as_text(values: list[float], text: str) -> None:
    assert str(Summary.of(values)) == text


def test_every_number_stands_under_the_name_of_its_probe(tmp_path: Path) -> None:
    probes = {"convex": "convex", "knn": "knn", "linear_1pct": "1 % of the labels"}
    write_run(tmp_path / "run", probes=probes)
    text = write_report([tmp_path], tmp_path)
    heads = [line.split() for line in text.splitlines() if line.startswith("    ")]
    assert heads[1] == ["convex", "knn", "convex"]
    page = (tmp_path / "report.html").read_text()
    for probe in probes:
        assert f'<th class="probe" colspan="3">{probe}</th>' in page
    assert r"\multicolumn{3}{c}{linear\_1pct}" in (tmp_path / "table.tex").read_text()


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", everything=False)
    text = write_report([folder], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "not described" not in page
    for missing in (">task-aware<", "top-5", "never seen", "What fitting found"):
        assert missing not in page
    assert "forgetting" in text


def test_references_that_all_settings_share_stand_once(tmp_path: Path) -> None:
    for value in ("both", "neither"):
        settings = {"method.pseudo_negatives": value}
        for seed in (0, 1):
            folder = tmp_path / f"{value}{seed}"
            write_run(folder, seed, names=["pnr", "joint"], settings=settings)
    changed = read_lines(tmp_path / "both1")
    changed = [
        {**each, "value": 0.5} if each["run"] == "joint" and "value" in each else each
        for each in changed
    ]
    write_lines(tmp_path / "both1", changed)
    lines = write_report([tmp_path], tmp_path).splitlines()
    labels = [line.split("  ")[0] for line in lines if re.search(r"\d ± \d", line)]
    assert labels == [
        "raw pixels",
        "random backbone",
        "pseudo_negatives=both: pnr",
        "pseudo_negatives=both: joint",
        "pseudo_negatives=neither: pnr",
        "pseudo_negatives=neither: joint",
    ]


def test_latex_escapes_what_latex_would_read() -> None:
    assert escaped(r"a_b & 50 % #1 {x} $y$ ~ ^ \z") == (
        r"a\_b \& 50 \% \#1 \{x\} \$y\$ \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{}z"
    )
    assert escaped("-0.9 ± 0.1") == r"$-$0.9 $\pm$ 0.1"
    assert escaped("[0.1, -2.0]") == "{[}0.1, $-$2.0]"
    assert escaped("task-aware, top-5") == "task-aware, top-5"


def test_latex_lines_have_a_cell_for_each_column(by_hand: Path, tmp_path: Path) -> None:
    write_report([by_hand], tmp_path)
    text = (tmp_path / "table.tex").read_text()
    tabulars = re.findall(r"\\begin\{tabular\}\{(l r*|lr*)\}(.*?)\\end", text, re.S)
    assert len(tabulars) == 3
    for columns, body in tabulars:
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        for line in lines[1:]:
            assert line.count(" & ") == len(columns) - 1
        assert body.count(r"\toprule") == body.count(r"\bottomrule") == 1
