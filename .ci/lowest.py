"""Print the lowest versions that setup.cfg declares, as constraints for pip.

python .ci/lowest.py > lowest.txt
uv pip install --constraint lowest.txt '.[test]'
"""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

BOUND = re.compile(r"([\w-]+)(?:\[[\w,]+\])?>=([\w.]+)(?:,<[\w.]+)?(; .+)?")
"""A requirement with a lower bound: name, version and environment marker."""


def lowest(configuration: str) -> list[str]:
    """Turn every lower bound into a pin of that version.

    Args:
        configuration: Text of a setup.cfg.

    Returns:
        Lines of a file of constraints, in the order of the requirements.

    Raises:
        ValueError: If a requirement has no lower bound.
    """
    config = configparser.ConfigParser()
    config.read_string(configuration)
    name = config["metadata"]["name"]
    lists = [
        config["options"]["install_requires"],
        *config["options.extras_require"].values(),
    ]
    pins = []
    for line in "\n".join(lists).split("\n"):
        if not line or line.startswith(f"{name}["):
            continue
        bound = BOUND.fullmatch(line)
        if bound is None:
            raise ValueError(f"{line!r} in setup.cfg has no lower bound: write NAME>=1")
        pins.append(f"{bound[1]}=={bound[2]}{bound[3] or ''}")
    return pins


if __name__ == "__main__":
    print("\n".join(lowest((ROOT / "setup.cfg").read_text())))
