"""The page and the command that writes it."""

import html
import re
import sys
from pathlib import Path

import pytest

from experiments.report import main, write_report
from tests.experiments.made_runs import PROBES, read_lines, write_lines, write_run

pytestmark = pytest.mark.usefixtures("uncovered")

FILES = {"report.html", "table.csv", "table.tex"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds, of each two runs, with everything in them."""
    root = tmp_path_factory.mktemp("runs")
    counts = {"skipped": 2, "duplicates": 5}
    for seed in (0, 1):
        write_run(root / f"main{seed}", seed, features=True, counts=counts)
        write_run(root / f"other{seed}", seed, names=["joint", "single"])
    out = root / "report"
    out.mkdir()
    write_report([root], out)
    return out


def test_all_pictures_are_in_the_page_and_beside_it(report: Path) -> None:
    pictures = {path.stem for path in report.glob("*.png")}
    assert pictures == {
        "accuracy_matrices",
        "cka",
        "curves",
        "features",
        "representation",
        "stability_plasticity",
    }
    page = (report / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "http" not in page
    assert {path.name for path in report.iterdir()} >= FILES


@pytest.mark.parametrize(
    "text",
    [
        "SimCLR on digits, 5 experiences, seeds 0, 1",
        "digits, 8 px",
        "Class-IL, class_incremental(n_experiences=5), 5 experiences trained on, 5 ",
        "backbone resnet_small, SGD, 3 epochs an experience, batches of 64",
        "Over the stream, in percentage points",
        "Difference from finetune of the same seed, in percentage points, with a 95 %",
        "damaged images left out: 2",
        "test images that are training images too: 5",
        "python -m experiments seed=1 out=",
        "<dt>torch</dt><dd>2.9.0</dd>",
        "learning rate",
        "method.temperature: 0.2",
        *PROBES.values(),
    ],
)
def test_the_page_holds_the_protocol(text: str, report: Path) -> None:
    assert text in (report / "report.html").read_text()


def test_the_page_shows_what_each_run_has_of_its_own(report: Path) -> None:
    page = (report / "report.html").read_text()
    own, common = page.split("<details>")
    assert "<dt><code>seed</code></dt><dd><code>1</code></dd>" in own
    assert "['joint', 'single']" in html.unescape(own)
    assert "regularizers" not in common
    assert "seed:" not in common
    assert "batch_size: 64" in common


@pytest.mark.usefixtures("no_pictures")
def test_the_chosen_learning_rate_of_each_network_is_told(tmp_path: Path) -> None:
    probes = {"linear": "linear", "linear_1pct": "1 % of the labels"}
    folder = write_run(tmp_path / "run", probes=probes, names=["pnr"])
    place = {"run": "pnr", "after": 5, "stream": "test"}
    line = {**place, "metric": "Linear_1pct_Lr_Stream", "value": 0.03}
    write_lines(folder, [*read_lines(folder), line])
    write_report([folder], tmp_path)
    page = (tmp_path / "report.html").read_text()
    cells = ("pnr", "linear_1pct", "learning rate", "0.03")
    assert "".join(f"<td>{cell}</td>" for cell in cells) in page


@pytest.mark.usefixtures("no_pictures")
def test_the_learning_rate_chosen_on_data_never_seen_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "run", names=["pnr"], trained=3)
    write_report([tmp_path], tmp_path)
    page = (tmp_path / "report.html").read_text()
    cells = ("pnr", "linear", "learning rate, downstream flowers", "0.04")
    assert "".join(f"<td>{cell}</td>" for cell in cells) in page
    assert "Acc, downstream" not in page


@pytest.mark.usefixtures("no_pictures")
def test_fits_of_single_models_are_told_as_a_range_over_them(tmp_path: Path) -> None:
    write_run(tmp_path / "run", names=["pnr", "single"], trained=4, tested=4)
    write_report([tmp_path], tmp_path)
    page = (tmp_path / "report.html").read_text()
    for name, value in {"single": "0.1 to 0.3", "pnr": "0.1"}.items():
        cells = (name, "linear", "learning rate", value)
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page


def test_pictures_that_show_plasticity_give_its_formula(report: Path) -> None:
    page = html.unescape((report / "report.html").read_text())
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    formula = "P = 1/(T-1) Σ_{t=1..T-1} 1/(T-t) Σ_{k>t} (a[t, k] - FT[k])"
    told = [caption for caption in captions if formula in caption]
    assert [caption.split()[0] for caption in told] == ["Accuracy", "Stability"]
    assert not any("{plasticity}" in caption for caption in captions)


def test_plasticity_is_told_only_where_there_is_some(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", names=["finetune", "pnr"])
    write_report([folder], tmp_path)
    page = html.unescape((tmp_path / "report.html").read_text())
    assert "S: forgetting, lower is better.</figcaption>" in page
    assert "P = 1/(T-1)" not in page


@pytest.mark.usefixtures("no_pictures")
def test_a_class_list_is_told_with_the_table(tmp_path: Path) -> None:
    settings = {"data.classes": "classes.txt"}
    folder = write_run(tmp_path / "run", settings=settings)
    assert "class list: classes.txt" in write_report([folder], tmp_path)
    assert "% class list: classes.txt" in (tmp_path / "table.tex").read_text()
    assert "<dt>Class list</dt><dd>classes.txt</dd>" in (
        (tmp_path / "report.html").read_text()
    )


@pytest.mark.usefixtures("no_pictures")
def test_one_epoch_is_no_epochs(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", settings={"epochs": 1})
    write_report([folder], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "SGD, 1 epoch an experience, batches of 64" in page


def test_text_of_a_run_cannot_break_the_page(tmp_path: Path) -> None:
    probes = {"linear": "<script>alert(1)</script> & more"}
    write_run(tmp_path / "run", probes=probes, settings={"data.name": "<b>"})
    write_report([tmp_path], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page


def test_runs_without_command_or_counts_are_reported(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", everything=False)
    left_out = ("command", "environment", "probes")
    write_lines(
        folder, [each for each in read_lines(folder) if each["run"] not in left_out]
    )
    write_report([folder], tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "not described by the run" in page
    assert "damaged" not in page


def test_the_command_writes_into_the_first_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path / "run")
    monkeypatch.setattr(sys, "argv", ["report", str(folder)])
    main()
    assert f"report: {folder / 'report.html'}" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} >= FILES


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["empty"], "error: empty holds no run: config.yaml is missing"),
        (["run", "--by", "metod"], "error: there is no swept setting=metod"),
        (["run", "--out", "run/config.yaml"], "error: "),
    ],
)
def test_the_command_answers_bad_input_with_a_sentence(
    arguments: list[str],
    answer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_run(tmp_path / "run", everything=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert str(exit_.value).startswith(answer)


@pytest.mark.parametrize("main", ["online", "knn"])
def test_pictures_of_a_probe_that_sees_future_classes_say_so(
    main: str, tmp_path: Path
) -> None:
    probes = {"knn": "knn", "online": "online (sees future classes)"}
    folder = write_run(tmp_path / "run", probes={main: probes[main], **probes})
    write_report([folder], tmp_path)
    page = (tmp_path / "report.html").read_text()
    caption = "Accuracy of the online (sees future classes) probe"
    assert (caption in page) == (main == "online")
    assert "knn (sees" not in page
