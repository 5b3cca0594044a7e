"""The folders of the package, the direction of imports, and one training step."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from avalanche.training.templates.base_sgd import BaseSGDTemplate
from avalanche.training.templates.observation_type import BatchObservation
from avalanche.training.templates.update_type import SGDUpdate

from avalanche_pnr import SelfSupervised
from avalanche_pnr.training.problem import SelfSupervisedProblem
from experiments.measurements.structure import (
    PACKAGE,
    arrows,
    folder,
    ignores,
    imported,
    sources,
    step_of_pnr,
)

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()

SHARED = {"distributed", "reproducibility", "runs", "version"}
"""Folders that any other may import; they import none of the others."""

MAY_IMPORT: dict[str, set[str]] = {
    "losses": set(),
    "methods": {"losses"},
    "plugins": {"losses", "methods"},
    "training": {"losses", "methods", "plugins", "benchmarks", "evaluation"},
    "transforms": set(),
    "benchmarks": {"transforms"},
    "evaluation": {"benchmarks"},
    "weights": {"methods"},
    "learner": {
        *("methods", "plugins", "training", "transforms"),
        *("benchmarks", "evaluation", "backbones", "weights"),
    },
    "distributed": set(),
    "reproducibility": set(),
    "runs": set(),
}
"""The folders, each with those that it may import besides the shared ones."""


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_imports_point_one_way(name: str) -> None:
    known = {other for one, other in arrows(for_types=True) if one == name}
    assert known - SHARED <= MAY_IMPORT[name]


def test_every_folder_is_listed() -> None:
    assert {folder(path) for path in sources() if "/" in path} == set(MAY_IMPORT)


def test_shared_modules_know_no_other() -> None:
    for one, other in arrows(for_types=True):
        assert one not in SHARED or other in SHARED, f"{one} imports {other}"


def test_no_import_works_by_the_order_of_imports_alone() -> None:
    graph = {
        path: imported(source, for_types=False) - {path}
        for path, source in sources().items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_an_arrow_the_wrong_way_is_found() -> None:
    source = """
from typing import TYPE_CHECKING
from avalanche_pnr.training import lars
if TYPE_CHECKING:
    from avalanche_pnr.plugins import PNRPlugin
def later():
    import avalanche_pnr.losses.moco
"""
    running = {"training/lars.py", "losses/moco.py"}
    assert imported(source, for_types=False) == running
    assert imported(source, for_types=True) == running | {"plugins/__init__.py"}


def test_the_strategy_is_avalanches_form() -> None:
    assert SelfSupervised.__bases__ == (
        BatchObservation,
        SelfSupervisedProblem,
        SGDUpdate,
        BaseSGDTemplate,
    )


def test_no_super_call_is_hidden_from_the_type_checker() -> None:
    assert [line for line in ignores() if "super()" in line] == []


def test_the_page_counts_the_functions_of_a_step() -> None:
    step = step_of_pnr()
    told = re.search(r"(\d+) functions\s+of this package in\s+(\d+) files", PAGE)
    assert told is not None
    assert len(step) == int(told[1])
    assert len({path for path, _ in step}) == int(told[2])


def test_the_page_walks_the_whole_step_in_its_order() -> None:
    """The functions that the table names, in the order in which they are entered."""
    walk = PAGE.split("## The life of a batch")[1].split("\n## ")[0]
    table = "\n".join(line for line in walk.splitlines() if line.startswith("|"))
    named = re.findall(r"`([\w.]+)\(\)`", table)
    entered = [name for _, name in step_of_pnr()]
    assert len(named) > 15
    positions = [entered.index(name) for name in named]
    assert positions == sorted(positions), named


def test_every_file_that_the_page_names_is_there() -> None:
    found = set(sources())
    for name in re.findall(r"`([\w/]+\.py)`", PAGE):
        there = name in found or (ROOT / name).is_file()
        assert there, f"{name} is neither in the package nor in the repository"


def test_every_function_that_the_page_names_is_defined() -> None:
    outside = (ROOT / "experiments").glob("*.py")
    code = "\n".join([*sources().values(), *(each.read_text() for each in outside)])
    for name in re.findall(r"`(?:\w+\.)*(\w+)\(\)`", PAGE):
        assert re.search(rf"\b(def|class) {name}\b", code), name


def test_the_picture_shows_every_folder() -> None:
    picture = PAGE.split("```mermaid")[1].split("```")[0]
    drawn = re.findall(r"^ *(\w+) --> (.+)$", picture, re.MULTILINE)
    pairs = {(one, other) for one, rest in drawn for other in rest.split(" & ")}
    measured = {
        (one, other)
        for one, other in arrows(for_types=False)
        if one in MAY_IMPORT and other in MAY_IMPORT.keys() - SHARED
    }
    assert pairs == measured
    assert PACKAGE.name == "avalanche_pnr"
