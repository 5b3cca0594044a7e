"""The words of a report say what its numbers show, and no more."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from experiments.report import write_report
from experiments.reporting.conclusions import conclusions
from experiments.results import find_runs
from experiments.sweep import group_runs
from tests.experiments.made_runs import (
    matrix_lines,
    read_lines,
    write_lines,
    write_run,
)

pytestmark = pytest.mark.usefixtures("uncovered")

METRIC = "Linear_Acc_Exp"
EVEN = [0.0, 0.01, -0.01]
"""What an accuracy changes by with the seed."""

UNTRAINED = {"raw pixels": (0.9, 0.0), "random backbone": (0.6, 0.0)}

Figures = Mapping[str, tuple[float, float]]
"""Average accuracy in the end, and what was forgotten, by name."""


def matrix(final: float, forgotten: float) -> list[list[float]]:
    """Of two experiences."""
    return [[final + forgotten, 0.2], [final, final]]


def runs(out: Path, figures: Figures, changes: Mapping[str, Sequence[float]]) -> Path:
    """Runs with as many seeds as there are changes of a name's accuracy."""
    names = [name for name in figures if name != "random backbone"]
    for seed in range(len(next(iter(changes.values())))):
        folder = write_run(out / str(seed), seed, names, 2, 2, everything=False)
        lines = [each for each in read_lines(folder) if each.get("metric") != METRIC]
        for name, (final, forgotten) in {**UNTRAINED, **figures}.items():
            each = final + changes[name][seed] if name in changes else final
            a = matrix(each, forgotten)
            once = name in ("raw pixels", "random backbone", "joint")
            lines += matrix_lines(name, METRIC, a[1:] if once else a)
        write_lines(folder, lines)
    return out


def words(out: Path) -> list[str]:
    return conclusions(group_runs(find_runs([out])))


FIGURES = {
    "finetune": (0.80, 0.072),
    "cassle": (0.86, 0.03),
    "pnr": (0.895, 0.015),
    "joint": (0.96, 0.0),
}


def test_what_is_more_than_chance_is_said_with_its_interval(tmp_path: Path) -> None:
    out = runs(tmp_path / "runs", FIGURES, {"pnr": EVEN, "cassle": [0.0, 0.0, 0.0]})
    assert words(out) == [
        "PNR ends 9.5 points above finetuning (7.0 to 12.0, 3 seeds) and forgets 1.5 "
        "points instead of 7.2",
        "PNR ends 3.5 points above CaSSLe (1.0 to 6.0, 3 seeds) and forgets 1.5 points "
        "instead of 3.0",
        "CaSSLe ends 6.0 points above finetuning (6.0 to 6.0, 3 seeds) and forgets 3.0 "
        "points instead of 7.2",
        "headroom: joint training ends 16.0 points above finetuning (16.0 to 16.0, 3 "
        "seeds)",
        "finetuning forgets 7.2 ± 0.0 points",
    ]


def test_what_may_be_chance_is_said_to_be(tmp_path: Path) -> None:
    near = {"finetune": (0.80, 0.02), "pnr": (0.81, 0.02), "joint": (0.9, 0.0)}
    first, *_ = words(runs(tmp_path / "runs", near, {"pnr": EVEN}))
    assert first == (
        "PNR cannot be told from finetuning by accuracy (-1.5 to +3.5 points, 3 "
        "seeds), nor by what they forget (2.0 and 2.0 points)"
    )


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            (0.70, 0.02),
            "PNR ends 10.0 points below finetuning (7.5 to 12.5, 3 seeds); ",
        ),
        (
            (0.80, 0.00),
            "(-2.5 to +2.5 points, 3 seeds), but forgets 0.0 points instead",
        ),
    ],
)
def test_losses_and_halves_of_a_gain_are_told_apart(
    own: tuple[float, float], said: str, tmp_path: Path
) -> None:
    figures = {"finetune": (0.80, 0.02), "pnr": own}
    assert said in words(runs(tmp_path / "runs", figures, {"pnr": EVEN}))[0]


def test_any_regularizers_are_compared_the_last_with_all(tmp_path: Path) -> None:
    names = ("er", "pfr", "mine")
    figures = {name: (0.8 + i / 20, 0.1) for i, name in enumerate(names)}
    said = words(runs(tmp_path / "runs", figures, {"er": EVEN}))
    pairs = [" ".join(each.split()[:6]) for each in said[:3]]
    assert pairs == [
        "mine ends 10.0 points above ER",
        "mine ends 5.0 points above PFR",
        "PFR ends 5.0 points above ER",
    ]
    assert "gain is unknown: add finetune to regularizers" in said[3]


def test_one_seed_is_said_to_tell_nothing(tmp_path: Path) -> None:
    said = words(runs(tmp_path / "runs", FIGURES, {"pnr": [0.0]}))
    assert said[0] == (
        "PNR ends 9.5 points above finetuning and forgets 1.5 points instead of 7.2"
    )
    assert said[-1].startswith("one seed cannot tell whether any of this is chance")


def test_without_headroom_no_regularizer_is_blamed(tmp_path: Path) -> None:
    figures = {"finetune": (0.80, 0.004), "pnr": (0.78, 0.0), "joint": (0.805, 0.0)}
    out = runs(tmp_path / "runs", figures, {"joint": EVEN})
    head = "joint training ends 0.5 points above finetuning (-2.0 to 3.0, 3 seeds): "
    advice = "no regularizer can show a gain; a narrower backbone, more epochs or fewer"
    assert any(each.startswith(f"{head}{advice}") for each in words(out))


def test_where_a_regularizer_gains_it_is_not_said_that_none_can(tmp_path: Path) -> None:
    figures = {"finetune": (0.80, 0.004), "pnr": (0.90, 0.0), "joint": (0.805, 0.0)}
    out = runs(tmp_path / "runs", figures, {"joint": EVEN, "pnr": EVEN})
    head = "joint training ends 0.5 points above finetuning (-2.0 to 3.0, 3 seeds): "
    said = words(out)
    assert any(each.startswith(f"{head}that may be chance, although") for each in said)
    assert not any("no regularizer can show a gain" in each for each in said)


def test_a_clear_deficit_of_joint_training_is_not_called_chance(tmp_path: Path) -> None:
    figures = {"finetune": (0.80, 0.004), "pnr": (0.90, 0.0), "joint": (0.75, 0.0)}
    out = runs(tmp_path / "runs", figures, {"joint": EVEN, "pnr": EVEN})
    said = words(out)
    assert any(
        each.startswith("joint training ends 5.0 points below finetuning (2.5 to 7.5, ")
        and each.endswith("seeds)")
        for each in said
    )
    assert not any("may be chance, although" in each for each in said)


def test_where_forgetting_may_be_chance_it_is_said_with_advice(tmp_path: Path) -> None:
    out, kept, lost = tmp_path / "runs", matrix(0.8, 0.0), matrix(0.8, 0.01)
    runs(out, {"finetune": (0.8, 0.0), "joint": (0.9, 0.0)}, {"joint": EVEN})
    for seed, a in enumerate((kept, kept, lost)):
        folder = out / str(seed)
        mine = [
            each
            for each in read_lines(folder)
            if (each["run"], each.get("metric")) != ("finetune", METRIC)
        ]
        write_lines(folder, [*mine, *matrix_lines("finetune", METRIC, a)])
    assert words(out)[-1].startswith(
        "finetuning forgets 0.3 ± 0.6 points here: no regularizer can show a gain; "
    )


def test_without_joint_training_untrained_networks_tell_the_headroom(
    tmp_path: Path,
) -> None:
    figures = {"random backbone": (0.8, 0.0), "finetune": (0.80, 0.1)}
    out = runs(tmp_path / "runs", figures, {"finetune": EVEN})
    first, second, _ = words(out)
    assert first == (
        "without joint training to tell the headroom, finetuning ends 0.0 points above "
        "the random backbone (-2.5 to 2.5, 3 seeds), and finetuning ends 10.0 points "
        "below raw pixels (7.5 to 12.5, 3 seeds)"
    )
    assert second.startswith("little was learned that could be forgotten: no regular")


def test_the_words_are_in_the_terminal_the_page_and_the_table(tmp_path: Path) -> None:
    out = runs(tmp_path / "runs", FIGURES, {"pnr": EVEN})
    sentence = "PNR ends 9.5 points above finetuning (7.0 to 12.0, 3 seeds) and forgets"
    for text in (
        write_report([out], out),
        (out / "report.html").read_text(),
        (out / "table.tex").read_text(),
    ):
        assert sentence in text


def test_the_last_regularizer_is_compared_with_each_other(tmp_path: Path) -> None:
    out = runs(tmp_path / "runs", FIGURES, {"pnr": EVEN})
    said = write_report([out], out)
    assert "pnr minus this" in said
    (line,) = (each for each in said.splitlines() if each.startswith("cassle"))
    assert line.split()[-6:] == ["+6.0", "[6.0,", "6.0]", "+3.5", "[1.0,", "6.0]"]
    assert "Difference of pnr from each other" in (out / "report.html").read_text()
