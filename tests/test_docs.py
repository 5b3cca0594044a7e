"""The pages are true: links, files, modules, names and commands on them exist."""

import re
import shlex
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from experiments.overrides import check_overrides, with_own_arguments
from experiments.paths import quoted_paths

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
)
pages = pytest.mark.parametrize("page", PAGES)


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@cache
def files() -> tuple[str, ...]:
    folders = ("avalanche_pnr", "experiments", "tests", "docs", "examples")
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.*"))
    return tuple("/" + path.relative_to(ROOT).as_posix() for path in found)


@pages
def test_relative_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page} links to {link}"


@pytest.mark.parametrize("page", [p for p in PAGES if "pull_request" not in p])
def test_files_that_are_named_exist(page: str) -> None:
    # Pull requests name Avalanche's files.
    for name in re.findall(r"`([\w./-]+\.(?:py|yaml|sh))`", text_of(page)):
        assert any(file.endswith(f"/{name}") for file in files()), f"{page}: {name}"


@pages
def test_names_of_the_package_exist(page: str) -> None:
    for name in re.findall(r"\bavalanche_pnr(?:\.[A-Za-z_]\w*)+", text_of(page)):
        parts = name.split(".")
        if (ROOT / "/".join(parts)).exists() or parts[-1] in {"py", "git"}:
            continue
        try:
            import_module(name)
        except ModuleNotFoundError:
            module = import_module(".".join(parts[:-1]))
            assert hasattr(module, parts[-1]), f"{page}: {name}"


@pages
def test_modules_to_run_exist(page: str) -> None:
    for name in re.findall(r"-m (experiments[\w.]*\w)", text_of(page)):
        path = ROOT / name.replace(".", "/")
        there = path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
        assert there, f"{page}: python -m {name}"


def commands(page: str) -> list[str]:
    """Commands of the comparison in the shell blocks of a page, each on one line."""
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text_of(page), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if re.search(r"-m experiments( |$)", line)]


@pages
def test_settings_on_command_lines_exist(page: str) -> None:
    for command in commands(page):
        words = shlex.split(command.split("-m experiments", 1)[1], comments=True)
        settings = [each for each in words if re.match(r"[+~]*[\w.@/]+=", each)]
        check_overrides(with_own_arguments(quoted_paths(settings)))


def test_there_are_commands_to_check() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 20
