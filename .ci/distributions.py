"""Build the source distribution and the wheel, and check what they hold.

    pip install build twine && python .ci/distributions.py

They are left in ``dist/``.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGE = "avalanche_pnr"

SOURCES = {
    *("CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "PKG-INFO"),
    *("README.md", "pyproject.toml", "setup.cfg"),
}
"""What stands beside the package in the source distribution."""


def run(*command: str | Path) -> None:
    """Run a module of Python, and fail where it does."""
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True)


def contents(wheel: Path) -> dict[str, bytes]:
    """Names and bytes of a wheel's files."""
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def tree() -> set[str]:
    """Files of the package in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", PACKAGE],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(listed.stdout.split("\n")) - {""}


def only(folder: Path, pattern: str) -> Path:
    """The one file that matches."""
    (found,) = folder.glob(pattern)
    return found


def expect(found: set[str], expected: set[str], where: Path) -> None:
    """Exit with the names that are missing or too many."""
    if found != expected:
        missing, surplus = sorted(expected - found), sorted(found - expected)
        sys.exit(
            f"{where.name} lacks {missing}, and holds {surplus}, which it must not"
        )


def main() -> None:
    """Build both, and compare them with the repository and with each other."""
    dist = ROOT / "dist"
    for left in (dist, ROOT / "build"):
        shutil.rmtree(left, ignore_errors=True)
    # The wheel is built from the source distribution.
    run("build", "--outdir", dist)
    run("twine", "check", "--strict", *sorted(dist.iterdir()))

    wheel = only(dist, "*.whl")
    files = contents(wheel)
    information = {name for name in files if ".dist-info/" in name}
    expect(set(files) - information, tree(), wheel)
    expect(
        {name.partition("/")[2] for name in information},
        {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
        | {"top_level.txt"},
        wheel,
    )

    source = only(dist, "*.tar.gz")
    with tarfile.open(source) as archive:
        members = {each.name.partition("/")[2] for each in archive if each.isfile()}
    egg = {name for name in members if ".egg-info/" in name}
    expect(members - egg, tree() | SOURCES, source)

    with tempfile.TemporaryDirectory() as folder:
        run("build", "--wheel", "--outdir", folder)
        if contents(only(Path(folder), "*.whl")) != files:
            sys.exit(f"the repository builds another wheel than {source.name}")
    print(f"{wheel.name} and {source.name} hold what they should")


if __name__ == "__main__":
    main()
