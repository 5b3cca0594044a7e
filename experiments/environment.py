"""What the numbers of a run depend on, besides its configuration."""

import platform
from importlib.metadata import version

PACKAGES = ("torch", "torchvision", "avalanche-lib", "lightly", "numpy")


def environment() -> dict[str, str]:
    """Versions of Python and of packages, and the kind of machine."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{package: version(package) for package in PACKAGES},
    }
