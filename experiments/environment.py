"""The environment of a run: versions and the kind of machine."""

import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "avalanche-lib", "lightly", "numpy", "pillow")
ROOT = Path(__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """Versions of Python, of packages and of this code, and the kind of machine."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{package: version(package) for package in PACKAGES},
        **({"commit": commit} if (commit := git_state(ROOT)) else {}),
    }


@cache  # a process goes on with the code that it has imported
def git_state(folder: Path) -> str:
    """The commit that a folder is at, and whether files have been changed since.

    Args:
        folder: The folder.

    Returns:
        An empty text if the folder is not that of a repository.
    """
    if shutil.which("git") is None or not (folder / ".git").exists():
        return ""
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}, with changes" if commit and changed else commit


def _git(folder: Path, *arguments: str) -> str:
    """Output of git; empty if it refuses, for example a folder of another user."""
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()
