"""Run the test of every contribution on Avalanche as installed, and with our change.

    python docs/upstream/check.py                       all of them
    python docs/upstream/check.py docs/upstream/03-*    some of them

Prints one row for each and fails unless every test fails before and passes after. The
changes are made in order, each on top of those before it.
"""

import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import subprocess
import sys
import textwrap
import unittest
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
SIDES = ("before", "after")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check contributions.

    Args:
        arguments: Their folders; all that lie beside this file if there are none.

    Returns:
        0 if all tests fail before and pass after, else 1.
    """
    parser = argparse.ArgumentParser(description="Check the contributions to Avalanche")
    parser.add_argument("folders", nargs="*", type=Path, help="default: all")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    folders = [each.resolve() for each in options.folders]
    folders = sorted(folders or FOLDER.glob("[0-9][0-9]-*"))
    if options.side:
        use_upstreams_helpers()
        print(json.dumps([outcome(each, options.side) for each in folders]))
        return 0
    before, after = both_sides(folders)
    print("| contribution | Avalanche as installed | with our change |")
    print("|---|---|---|")
    good = True
    for folder, old, new in zip(folders, before, after, strict=True):
        fine = old != PASSES and new == PASSES
        good = good and fine
        print(f"| {folder.name} | {old} | {new}{'' if fine else ' **wrong**'} |")
    return 0 if good else 1


PASSES = "passes"


def both_sides(folders: Sequence[Path]) -> list[list[str]]:
    """Outcomes before and after, each from a process of its own."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).resolve())]
    processes = [
        subprocess.Popen(
            [*command, "--side", side, *map(str, folders)], stdout=subprocess.PIPE
        )
        for side in SIDES
    ]
    printed = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("a side of the check did not finish: see above")
    return [json.loads(each) for each in printed]


def use_upstreams_helpers() -> None:
    """Let ``tests`` be the package of helpers that avalanche-lib installs."""
    spec = importlib.util.find_spec("avalanche")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    site = str(Path(spec.submodule_search_locations[0]).parent)
    sys.path.insert(0, site)
    importlib.import_module("tests")
    sys.path.remove(site)


def outcome(folder: Path, side: str) -> str:
    """What becomes of a contribution's test: ``"passes"``, or how it fails."""
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        if side == "after":
            load(folder / "change.py")  # importing it makes the change
        (test,) = folder.glob("test_*.py")
        try:
            module = load(test)
        except ImportError as error:
            return f"fails: ImportError: {str(error).split(' (')[0]}"
        suite = unittest.defaultTestLoader.loadTestsFromModule(module)
        result = Reasons()
        suite.run(result)
    if not result.reasons:
        return PASSES if result.testsRun else "has no tests"
    failed = f"{len(result.reasons)} of {result.testsRun}"
    return f"{failed} fail: {result.reasons[0]}".replace("|", "/")


class Reasons(unittest.TestResult):
    """Keeps the first line of each error.

    Attributes:
        reasons: Of each test that failed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """Keep why a test failed."""
        super().addFailure(test, err)
        why = f"{err[0].__name__}: {err[1]}".splitlines()[0]
        self.reasons.append(textwrap.shorten(why, 80, placeholder=" ..."))

    addError = addFailure  # noqa: N815


def load(file: Path) -> ModuleType:
    """Import a file under a name that no other file has."""
    name = f"{file.parent.name}.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
