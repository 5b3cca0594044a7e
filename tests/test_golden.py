"""Reference vectors: losses, gradients and LARS, to 1e-9 in float64.

``GOLDEN_DIR`` names the folder, by default the copy beside this file. Every file in
it and every key of every file is a case; a file or a key that nothing here computes
fails.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from avalanche_pnr.training.lars import LARS
from tests.golden_cases import LOSSES, Inputs

GOLDEN_DIR = Path(os.environ.get("GOLDEN_DIR", Path(__file__).parent / "golden"))
FILES = sorted(GOLDEN_DIR.glob("*.npz"))
SCALARS = ("tau", "distill_tau", "lambda_pnr")
INPUTS = {f"in/{name}{view}" for name in "zpfkh" for view in (1, 2)}
INPUTS |= {"in/queue", "in/pseudo_queue", *SCALARS}
LARS_OPTIONS = {"clip", "exclude_bias_and_norm", "eta", "lr", "weight_decay"}
LARS_OPTIONS |= {"momentum"}


def _keys(path: Path) -> list[str]:
    with np.load(path) as arrays:
        return list(arrays.files)


CASES = [(path, key) for path in FILES for key in _keys(path)]


def _close(actual: Tensor, expected: np.ndarray) -> None:
    want = torch.from_numpy(np.asarray(expected))
    error = (actual - want).abs().max() / want.abs().max().clamp_min(1e-300)
    assert error < 1e-9, f"relative error {error:.1e}"


def test_golden_directory_holds_vectors() -> None:
    assert FILES, f"GOLDEN_DIR={GOLDEN_DIR} holds no .npz: unset it, or fill it"


@pytest.mark.parametrize(
    ("path", "key"), CASES, ids=[f"{path.stem}-{key}" for path, key in CASES]
)
def test_golden(path: Path, key: str) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    kind, _, rest = key.partition("/")
    if path.stem.startswith("lars"):
        _check_lars(arrays, kind, rest)
    elif kind == "loss":
        _close(LOSSES[rest](_inputs(arrays)).detach(), arrays[key])
    elif kind == "grad":
        name, _, variable = rest.partition("/")
        inputs = _inputs(arrays)
        LOSSES[name](inputs).backward()
        gradient = inputs.tensors[variable].grad
        assert gradient is not None
        _close(gradient, arrays[key])
    else:
        assert key in INPUTS, f"nothing computes {key!r}"
        assert np.isfinite(arrays[key]).all()


def _inputs(arrays: dict[str, np.ndarray]) -> Inputs:
    tensors = {
        key.removeprefix("in/"): torch.from_numpy(value).requires_grad_()
        for key, value in arrays.items()
        if key.startswith("in/")
    }
    return Inputs(tensors, *(float(arrays[k]) for k in SCALARS))


def _check_lars(arrays: dict[str, np.ndarray], kind: str, rest: str) -> None:
    if kind in LARS_OPTIONS | {"init", "grad"}:
        assert np.isfinite(arrays[f"{kind}/{rest}" if rest else kind]).all()
        return
    assert kind == "param", f"nothing computes {kind!r}"
    step, _, name = rest.partition("/")
    param = _lars_parameters(arrays, steps=int(step) + 1)[name]
    _close(param.detach(), arrays[f"param/{rest}"])


def _lars_parameters(arrays: dict[str, np.ndarray], steps: int) -> dict[str, Tensor]:
    params = {
        key.removeprefix("init/"): torch.from_numpy(value.copy()).requires_grad_()
        for key, value in arrays.items()
        if key.startswith("init/")
    }
    options = {name: arrays[name].item() for name in LARS_OPTIONS}
    optimizer = LARS(params.values(), **options)
    for step in range(steps):
        for name, param in params.items():
            param.grad = torch.from_numpy(arrays[f"grad/{step}/{name}"].copy())
        optimizer.step()
    return params
