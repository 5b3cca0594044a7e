"""What setup.cfg requires: on the page about it, once, in versions that are tested."""

import configparser
import re
import runpy
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg")
REQUIRED = CONFIG["options"]["install_requires"]
EXTRAS = CONFIG["options.extras_require"]


def packages(lines: str) -> list[str]:
    """Names of the packages in a list of requirements."""
    return re.findall(r"^([\w-]+)(?:\[[\w,]+\])?[<>=]", lines, re.MULTILINE)


def parts(lines: str) -> list[str]:
    """Names of the extras of this package in a list of requirements."""
    own = re.findall(r"^avalanche-pnr\[(.*)\]$", lines, re.MULTILINE)
    return [extra for each in own for extra in each.split(",")]


def rows(heading: str) -> dict[str, list[str]]:
    """What the second cell names, for what the first does, in a table of the page."""
    page = (ROOT / "docs" / "dependencies.md").read_text()
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = re.findall(r"^\| `([\w-]+)` \|(.*?)\|", section, re.MULTILINE)
    return {first: re.findall("`(.*?)`", second) for first, second in table}


def test_the_page_lists_every_dependency_and_every_extra() -> None:
    assert sorted(rows("With the package")) == sorted(packages(REQUIRED))
    assert {name: sorted(cell) for name, cell in rows("Extras").items()} == {
        extra: sorted(parts(lines) + packages(lines)) for extra, lines in EXTRAS.items()
    }


def test_what_comes_with_other_packages_does() -> None:
    table = rows("With the package").items()
    pairs = [(name, other) for name, others in table for other in others]
    assert len(pairs) > 10
    for name, other in pairs:
        found = [re.split(r"[^\w-]", each)[0] for each in requires(other) or []]
        assert name in {each.lower().replace("_", "-") for each in found}, name


def test_each_package_is_listed_once() -> None:
    names = packages("\n".join([REQUIRED, *EXTRAS.values()]))
    assert len(names) == len(set(names))


def lowest(configuration: str) -> list[str]:
    function = runpy.run_path(str(ROOT / ".ci" / "lowest.py"))["lowest"]
    return list(function(configuration))


def test_lowest_versions_are_those_declared() -> None:
    pins = lowest((ROOT / "setup.cfg").read_text())
    names = packages("\n".join([REQUIRED, *EXTRAS.values()]))
    assert [pin.partition("==")[0] for pin in pins] == names
    assert "avalanche-lib==0.6" in pins
    assert "pytest-xdist==3.5" in pins
    assert 'setuptools==65; python_version >= "3.12"' in pins


@pytest.mark.parametrize("line", ["numpy", "numpy<2", "numpy!=1.26", "numpy~=1.26"])
def test_a_dependency_without_a_lower_bound_is_named(line: str) -> None:
    configuration = f"""
[metadata]
name = some
[options]
install_requires =
    torch>=2.6
    {line}
[options.extras_require]
test =
    some[other]
"""
    with pytest.raises(ValueError, match=f"{re.escape(line)}.* has no lower bound"):
        lowest(configuration)
