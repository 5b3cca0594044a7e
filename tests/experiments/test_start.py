import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "avalanche", "torchvision", "lightly", "numpy", "avalanche_pnr"}
PROGRAM = """
import json, runpy, sys
sys.argv = ["experiments", *sys.argv[1:]]
try:
    runpy.run_module("experiments", run_name="__main__")
except SystemExit as end:
    print(end, file=sys.stderr)
tops = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([sorted(tops), len(sys.modules)]))
"""


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--help"], "powered by Hydra"),
        (["--cfg", "job"], "batch_size"),
        (["epochz=3"], "did you mean epochs?"),
    ],
)
def test_what_needs_no_networks_imports_none(arguments: list[str], answer: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer in ended.stdout + ended.stderr
    tops, modules = json.loads(ended.stdout.splitlines()[-1])
    assert not HEAVY & set(tops)
    assert modules < 700
