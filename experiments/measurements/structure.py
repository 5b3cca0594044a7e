"""Structure of the package: lines, imports, and the path of one training step.

``python -m experiments.measurements.structure`` prints the table of
``docs/architecture.md``. It measures the ``avalanche_pnr`` that is imported: another
commit's with its folder first in ``PYTHONPATH`` and this file as a script.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch import nn
from torch.utils.data import TensorDataset

import avalanche_pnr
from avalanche_pnr import PNRPlugin, SelfSupervised, SimCLR

PACKAGE = Path(avalanche_pnr.__file__).parent


def sources() -> dict[str, str]:
    """Source of each module by its path below the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in paths}


def folder(path: str) -> str:
    """The folder that a module lies in, or the module's own name beside the folders."""
    return path.removesuffix(".py").split("/")[0]


def imported(source: str, *, for_types: bool) -> set[str]:
    """Modules of the package that a module imports, as paths below the package.

    Args:
        source: Source of the module.
        for_types: Whether imports that only a type checker follows are included.
    """
    modules: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        unused = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if unused and not for_types:
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.ImportFrom):
            # A name may be a module of its own, or one that a module defines.
            modules |= {f"{node.module}.{name.name}" for name in node.names}
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
    paths = (_path(name.split(".")[1:]) for name in modules if name.startswith(_OWN))
    return {path for path in paths if path is not None}


_OWN = "avalanche_pnr."


def _path(names: list[str]) -> str | None:
    """The module that a dotted name refers to, or is defined in."""
    for parts in filter(None, (names, names[:-1])):
        for path in (Path(*parts).with_suffix(".py"), Path(*parts, "__init__.py")):
            if (PACKAGE / path).is_file():
                return path.as_posix()
    return None


def arrows(*, for_types: bool) -> set[tuple[str, str]]:
    """Pairs of folders, of which the first imports from the second."""
    pairs = {
        (folder(path), folder(other))
        for path, source in sources().items()
        for other in imported(source, for_types=for_types)
    }
    return {(one, other) for one, other in pairs if one != other}


def ignores() -> list[str]:
    """Lines that silence the type checker."""
    lines = (line for source in sources().values() for line in source.splitlines())
    return [line.strip() for line in lines if "# type: ignore" in line]


class Step:
    """Records the package's functions in the second step of an experience.

    It lasts from the loader's batch until the next one is asked for, without views.

    Attributes:
        functions: Path and qualified name of each, in order; functions inside another
            (comprehensions, lambdas) count as a part of it.
    """

    def __init__(self) -> None:
        self.functions: list[tuple[str, str]] = []
        self._batches = 0
        self._within = False

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        """Record a call, for ``sys.setprofile``."""
        path = Path(frame.f_code.co_filename)
        if not path.is_relative_to(PACKAGE):
            return
        name = frame.f_code.co_qualname
        if name == "SeededLoader.__iter__":
            self._within = False
            if event == "return" and value is not None and frame.f_back is not None:
                self._batches += 1
                self._within = self._batches == 2
                self(frame.f_back, "call", None)  # the loop over batches
        elif self._within and event == "call" and not name.endswith(">"):
            function = path.relative_to(PACKAGE).as_posix(), name
            if function not in self.functions:
                self.functions.append(function)


def step_of_pnr() -> list[tuple[str, str]]:
    """Functions that a step of SimCLR with PNR enters in the second experience."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = SimCLR(backbone, hidden_dim=16, projection_dim=8)
    strategy = SelfSupervised(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
        train_mb_size=16,
        plugins=[PNRPlugin(predictor_hidden_dim=8)],
        evaluator=None,
    )
    views = TensorDataset(torch.rand(32, 2, 3, 8, 8), torch.zeros(32))
    datasets = [AvalancheDataset([views]), AvalancheDataset([views])]
    first, second = benchmark_from_datasets(train=datasets).train_stream
    strategy.train(first)
    step = Step()
    sys.setprofile(step)
    try:
        strategy.train(second)
    finally:
        sys.setprofile(None)
    return step.functions


def rows() -> Iterator[tuple[str, object]]:
    """Rows of the table: each measurement and its value."""
    found, step = sources(), step_of_pnr()
    folders = {folder(path) for path in found if "/" in path}
    wrong = [line for line in ignores() if "super()" in line]
    yield "files of the package", len(found)
    yield "lines", sum(len(source.splitlines()) for source in found.values())
    yield "folders", len(folders)
    yield "modules beside them", sum("/" not in path for path in found) - 1
    yield "bases of `SelfSupervised`", len(SelfSupervised.__bases__)
    yield "functions that a step of SimCLR with PNR enters", len(step)
    yield "files that they are in", len({path for path, _ in step})
    yield "lines with `type: ignore`", len(ignores())
    yield "of these on a call of `super`", len(wrong)
    yield "`strategy: Any`", sum(s.count("strategy: Any") for s in found.values())
    yield "imports between folders and modules", len(arrows(for_types=False))


def main() -> None:
    """Print the table and the path of the step."""
    print("| | |\n|---|---|")
    for name, value in rows():
        print(f"| {name} | {value} |")
    print("\nA step of SimCLR with PNR enters:\n")
    for path, name in step_of_pnr():
        print(f"* `{path}`: `{name}`")


if __name__ == "__main__":
    main()
