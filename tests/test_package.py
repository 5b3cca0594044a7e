"""What ``pip install .`` brings."""

import ast
import configparser
import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

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


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'SimClr'"):
        avalanche_pnr.SimClr  # noqa: B018


IMPORTS = """
import json, sys

def loaded():
    return {name.partition(".")[0] for name in sys.modules}

start = loaded()
import avalanche_pnr as pnr
assert "SimCLR" in dir(pnr)
package = loaded() - start
import lightly.models.modules  # and with them timm, where it is installed, and wandb
lightlys = loaded()
pnr.resnet18
pnr.SimCLR(pnr.resnet_small())
method = loaded() - lightlys
import avalanche, numpy, torch
from torchvision.transforms import ToTensor
avalanches = loaded()
pixels = numpy.random.default_rng(0).integers(0, 256, (2, 12, 8, 8, 3), "uint8")
train, test = ((x, numpy.arange(12) % 3) for x in pixels)
benchmark = pnr.class_incremental(
    pnr.ImageData.from_arrays("noise", train, test),
    n_experiences=3,
    train_transform=pnr.TwoViews(ToTensor()),
    eval_transform=ToTensor(),
)
model = pnr.SimCLR(pnr.resnet_small())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
strategy = pnr.SelfSupervised(
    model=model, optimizer=optimizer, plugins=[pnr.PNRPlugin()]
)
json.dump([*map(sorted, (package, method, loaded() - avalanches))], sys.stdout)
"""


def test_names_and_dependencies_are_imported_when_they_are_first_used() -> None:
    # Without a warning, too, that of Avalanche for want of a solver included; one
    # package's use of another, which Python tells nobody, apart, and the folder that
    # old versions of wandb leave to Python to remove.
    program = f"import sys; sys.modules['quadprog'] = None\n{IMPORTS}"
    ignored = ("ignore::DeprecationWarning", "ignore:Implicitly cleaning up")
    warnings = [text for each in ("error", *ignored) for text in ("-W", each)]
    ended = subprocess.run(
        [sys.executable, *warnings, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    package, method, strategy = map(set, json.loads(ended.stdout))
    assert package & {"avalanche", "lightly", "numpy", "torch"} == set()
    later = {"hydra", "jinja2", "matplotlib", "psutil", "pytorch_lightning"}
    later |= {"safetensors", "sklearn", "wandb"}
    assert method & {*later, "avalanche"} == set()
    assert strategy & later == set()


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


def test_the_version_is_in_one_place() -> None:
    version = avalanche_pnr.__version__
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0].removesuffix(" (unreleased)") == version
