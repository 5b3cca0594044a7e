"""What a command of this repository imports before it has answered."""

import json
import subprocess
import sys
from typing import NamedTuple

HEAVY = {
    *("torch", "avalanche", "torchvision", "lightly", "numpy"),
    *("matplotlib", "psutil", "wandb"),
}
"""What takes long to import, and no answer needs."""

PROGRAM = """
import json, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
except SystemExit as end:
    print(end.code or "", file=sys.stderr)
print(json.dumps(sorted(sys.modules)))
"""


class Answer(NamedTuple):
    """What a command says, and which modules it imports for that.

    Attributes:
        text: All that it prints.
        modules: Names of the modules.
    """

    text: str
    modules: list[str]

    @property
    def packages(self) -> set[str]:
        """The packages that these modules belong to."""
        return {name.partition(".")[0] for name in self.modules}


def answer(module: str, *arguments: str) -> Answer:
    """Run ``python -m module arguments`` in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    printed, _, modules = ended.stdout.rstrip().rpartition("\n")
    return Answer(printed + ended.stderr, json.loads(modules))
