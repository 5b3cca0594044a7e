"""What ``pip install .`` brings."""

import ast
import configparser
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

import avalanche_pnr

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "PIL": "pillow",
    "avalanche": "avalanche-lib",
    "hydra": "hydra-core",
    "mlflow": "mlflow-skinny",
    "pillow_heif": "pillow-heif",
    "sklearn": "scikit-learn",
}


def imported(folder: Path) -> set[str]:
    """Distributions that the modules of a folder import."""
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module))
    tops = {name.partition(".")[0] for name in found}
    foreign = tops - {"avalanche_pnr", "experiments"} - sys.stdlib_module_names
    return {DISTRIBUTIONS.get(name, name) for name in foreign}


def declared(*extras: str) -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    for extra in extras:
        lines += config["options.extras_require"][extra].splitlines()
    return {re.split(r"[<>=; ]", line)[0] for line in lines if line}


OPTIONAL = ("heif", "huggingface", "mlflow", "onnx", "parquet", "timm", "webdataset")


def test_everything_imported_is_declared() -> None:
    assert imported(ROOT / "avalanche_pnr") <= declared(*OPTIONAL)
    assert imported(ROOT / "experiments") <= declared("experiments", "measurements")


def test_names_are_imported_when_they_are_first_used() -> None:
    program = (
        "import sys, avalanche_pnr as package\n"
        "assert 'torch' not in sys.modules\n"
        "assert 'SimCLR' in dir(package)\n"
        "package.SimCLR, package.resnet18\n"
        "assert 'torch' in sys.modules and 'avalanche' not in sys.modules\n"
        "package.SelfSupervised\n"
        "assert 'avalanche' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'SimClr'"):
        avalanche_pnr.SimClr  # noqa: B018


def test_type_checkers_know_every_name_where_it_is_defined() -> None:
    tree = ast.parse((ROOT / "avalanche_pnr" / "__init__.py").read_text())
    checked = {
        f"{node.module}.{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = avalanche_pnr._MODULE_OF
    assert checked == {
        f"avalanche_pnr.{module}.{name}" for name, module in modules.items()
    }
    assert sorted(modules) == sorted(avalanche_pnr.__all__)


def test_everything_public_is_there() -> None:
    for name in avalanche_pnr.__all__:
        assert getattr(avalanche_pnr, name) is not None
    assert (ROOT / "avalanche_pnr" / "py.typed").is_file()


def test_the_installed_package_brings_neither_tests_nor_experiments() -> None:
    # A clone that was installed from holds an .egg-info too, which has no RECORD.
    installed = [
        each
        for each in distributions(name="avalanche-pnr")
        if each.read_text("RECORD") is not None
    ]
    if not installed:
        pytest.skip("avalanche-pnr is not installed, only on the path")
    tops = {path.parts[0] for path in installed[0].files or []}
    assert tops
    assert not tops & {"tests", "experiments"}
