"""Pictures: they show what they should, and no text lies on another."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from experiments.reporting.figures import PICTURES, pictures
from experiments.reporting.figures.projection import project
from experiments.reporting.rows import rows
from experiments.results import find_runs
from experiments.sweep import Group, group_runs
from tests.experiments.made_runs import read_lines, write_lines, write_run

pytestmark = pytest.mark.usefixtures("uncovered")

LONG = "a_rather_long_name_of_a_regularizer_with_everything_in_it"
NAMES = ["finetune", LONG, "pnr", "joint", "single"]


def the_group(folder: Path) -> Group:
    (group,) = group_runs(find_runs([folder]))
    return group


def drawn(folder: Path) -> dict[str, Figure]:
    groups = group_runs(find_runs([folder]))
    return {each.name: each.figure for each in pictures(groups, rows(groups))}


def hidden(figure: Figure) -> Iterator[Text]:
    """Labels of ticks beyond the limits of their axis."""
    for axis in figure.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts of which one lies on the other."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    unseen = set(hidden(figure))
    texts = [
        each
        for each in figure.findobj(Text)
        if each.get_visible() and each.get_text().strip() and each not in unseen
    ]
    boxes = np.array(
        [t.get_window_extent(canvas.get_renderer()).extents for t in texts]
    )
    low, high = boxes[:, None, :2] + 1, boxes[:, None, 2:] - 1
    cross = (low < high.swapaxes(0, 1)) & (low.swapaxes(0, 1) < high)
    pairs = np.argwhere(np.triu(cross.all(axis=2), k=1))
    return [(texts[i].get_text(), texts[j].get_text()) for i, j in pairs]


@pytest.mark.parametrize(
    ("trained", "tested", "classes"),
    [
        (1, 1, 3),
        pytest.param(2, 2, 10, marks=pytest.mark.slow),
        (5, 5, 10),
        pytest.param(10, 10, 20, marks=pytest.mark.slow),
        (20, 20, 40),
        (5, 1, 40),
    ],
)
def test_no_text_lies_on_another(
    trained: int, tested: int, classes: int, tmp_path: Path
) -> None:
    for seed in (0, 1):
        write_run(
            tmp_path / f"{seed}",
            seed,
            names=NAMES,
            trained=trained,
            tested=tested,
            classes=classes,
            features=True,
        )
    figures = drawn(tmp_path)
    several = {"cka"} if trained > 1 else set()
    defined = {"stability_plasticity"} if trained == tested > 1 else set()
    assert set(figures) == set(PICTURES) - {"cka", "stability_plasticity"} | (
        several | defined
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, figure in figures.items():
            assert overlaps(figure) == [], name


def test_overlapping_texts_are_found() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "other")
    figure.text(0.1, 0.1, "apart")
    assert overlaps(figure) == [("one", "other")]


def test_matrices_print_their_values_and_figures(tmp_path: Path) -> None:
    write_run(tmp_path / "run", names=["pnr", "single"], trained=3, tested=3)
    group = the_group(tmp_path)
    figure = drawn(tmp_path)["accuracy_matrices"]
    axes = figure.axes[0]
    a = group.runs[0].matrix("pnr", "Linear_Acc_Exp")
    assert [text.get_text() for text in axes.texts] == [
        f"{100 * x:.1f}" for x in a.flat
    ]
    assert not np.allclose(a, a.T)
    assert np.asarray(axes.images[0].get_array()) == pytest.approx(100 * a)
    assert axes.get_title() == "pnr"
    assert "\nS  " in axes.get_xlabel()
    assert "\nP  " in axes.get_xlabel()
    low, high = axes.images[0].get_clim()
    assert (low, high) == pytest.approx((100 * a.min(), 100 * a.max()))


def test_a_panel_for_each_learner_and_none_for_references(tmp_path: Path) -> None:
    write_run(tmp_path / "run", names=NAMES)
    figure = drawn(tmp_path)["accuracy_matrices"]
    titles = [axes.get_title().replace("\n", "") for axes in figure.axes]
    assert [title for title in titles if title] == ["finetune", LONG, "pnr"]


def test_curves_hold_the_mean_over_seeds_and_levels_of_references(
    tmp_path: Path,
) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"{seed}", seed, names=["pnr", "joint", "single"])
    runs = the_group(tmp_path).runs
    axes = drawn(tmp_path)["curves"].axes[0]
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.lines}
    means = [100 * run.matrix("pnr", "Linear_Acc_Exp").mean(axis=1) for run in runs]
    assert lines["pnr"] == pytest.approx(np.mean(means, axis=0))
    single = [run.matrix("single", "Linear_Acc_Exp").diagonal().mean() for run in runs]
    assert lines["single"] == pytest.approx([100 * np.mean(single)] * 2)
    assert set(lines) == {"raw pixels", "random backbone", "single", "pnr", "joint"}


def test_cka_of_old_experiences_leaves_out_the_present_one(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", names=["pnr"], trained=3, tested=3)
    others = [each for each in read_lines(folder) if each.get("metric") != "CKA_Exp"]
    cka = {(1, 0): 1.0, (2, 0): 0.8, (2, 1): 1.0, (3, 0): 0.5, (3, 1): 0.7, (3, 2): 1.0}
    write_lines(
        folder,
        [
            *others,
            *(
                {
                    "run": "pnr",
                    "metric": "CKA_Exp",
                    "value": value,
                    "after": t,
                    "stream": "test",
                    "experience": k,
                }
                for (t, k), value in cka.items()
            ),
        ],
    )
    old, first = drawn(tmp_path)["cka"].axes
    assert old.get_ylabel() == "CKA with features at the experience's end"
    assert old.lines[0].get_xydata() == pytest.approx(np.array([[2, 0.8], [3, 0.6]]))
    assert first.lines[0].get_ydata() == pytest.approx([1.0, 0.8, 0.5])


def test_pictures_of_what_was_not_measured_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "run", everything=False)
    assert set(drawn(tmp_path)) == {"accuracy_matrices", "curves"}


def test_joint_training_alone_has_no_curves(tmp_path: Path) -> None:
    write_run(tmp_path / "run", names=["joint"], everything=False)
    assert drawn(tmp_path) == {}


def test_measured_for_some_regularizers_only(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", names=["finetune", "pnr"])
    kept = ("Linear_Acc_Exp", None)
    lines = [
        each
        for each in read_lines(folder)
        if each["run"] != "pnr" or each.get("metric") in kept
    ]
    write_lines(folder, lines)
    figures = drawn(tmp_path)
    labels = [line.get_label() for line in figures["cka"].axes[0].lines]
    assert labels == ["finetune"]


@pytest.mark.parametrize(
    ("classes", "tested", "titles"),
    [
        (10, 5, ["by class", "by experience"]),
        (40, 5, ["by experience"]),
        (10, 1, ["by class"]),
        (40, 1, ["by class"]),
    ],
)
def test_features_are_coloured_by_what_colours_can_tell_apart(
    classes: int, tested: int, titles: list[str], tmp_path: Path
) -> None:
    write_run(
        tmp_path / "run", names=["pnr"], tested=tested, classes=classes, features=True
    )
    figure = drawn(tmp_path)["features"]
    # Raw pixels, the random backbone and one regularizer.
    assert [axes.get_title() for axes in figure.axes] == titles * 3


def test_points_have_the_colour_that_the_legend_gives_to_their_kind(
    tmp_path: Path,
) -> None:
    folder = write_run(tmp_path / "run", names=["pnr"], features=True)
    with np.load(folder / "features_pnr.npz") as arrays:
        kinds = {
            "by class": arrays["labels"],
            "by experience": arrays["experience"] + 1,
        }
    for axes in drawn(tmp_path)["features"].axes[-2:]:
        legend: Any = axes.get_legend()
        values = kinds.pop(axes.get_title())
        colours = {
            text.get_text(): handle.get_facecolor()[0]
            for text, handle in zip(
                legend.get_texts(), legend.legend_handles, strict=True
            )
        }
        assert set(colours) == set(map(str, values))
        shown = np.asarray(axes.collections[0].get_facecolor())
        assert shown == pytest.approx(np.array([colours[str(v)] for v in values]))
        assert len(np.unique(shown, axis=0)) == len(colours)
    assert not kinds


@pytest.mark.parametrize("shape", [(1, 4), (9, 1), (2, 2), (30, 8)])
def test_features_of_any_shape_are_projected(shape: tuple[int, int]) -> None:
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    points, shares = project(features)
    assert points.shape == (shape[0], 2)
    assert np.isfinite(shares).all()
    spread = np.linalg.norm(features - features.mean(axis=0))
    if min(shape) <= 2:
        assert np.linalg.norm(points) == pytest.approx(spread, rel=1e-5)


def test_collapsed_features_are_one_point() -> None:
    points, shares = project(np.ones((20, 4), dtype=np.float32))
    assert not points.any()
    assert not shares.any()


def test_a_sweep_is_one_picture_with_a_line_for_shared_references(
    tmp_path: Path,
) -> None:
    for number, value in enumerate(("both", "loss", "neither")):
        for seed in (0, 1):
            settings = {
                "method.pseudo_negatives": value,
                "optimizer.a_setting_with_a_long_name": 10.0**number,
            }
            folder = tmp_path / f"{value}{seed}"
            write_run(folder, seed, names=["finetune", LONG], settings=settings)
    figures = drawn(tmp_path)
    assert list(figures) == ["sweep"]
    averages, _ = figures["sweep"].axes
    labels = [line.get_label() for line in averages.lines]
    assert labels.count("raw pixels") == labels.count("random backbone") == 1
    assert len(averages.get_yticks()) == 3
    assert overlaps(figures["sweep"]) == []


def test_a_sweep_of_data_il_shows_the_accuracy_alone(tmp_path: Path) -> None:
    for value in ("both", "neither"):
        settings = {"method.pseudo_negatives": value}
        write_run(tmp_path / value, names=["pnr"], tested=1, settings=settings)
    (axes,) = drawn(tmp_path)["sweep"].axes
    assert axes.get_xlabel().startswith("average accuracy, linear probe")
