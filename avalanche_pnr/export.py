"""Weights of backbones, in and out, under the names that torchvision gives them."""

from itertools import product
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

import avalanche_pnr
from avalanche_pnr.files import load_plain, read_state, write_whole
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.weight_checks import check_names, check_numbers

_WRAPPERS = ("strategy", "model", "state_dict")
"""Where checkpoints keep weights, from outer to inner."""
_PREFIXES = [
    parallel + part
    for parallel, part in product(
        ("", "module."),  # DistributedDataParallel's
        # torchvision and timm; this package and solo-learn; CaSSLe and PNR; MoCo.
        ("", "backbone.", "encoder.", "encoder_q."),
    )
]
_HEADS = ("fc.", "head.", "heads.")
"""Classifiers, and projectors in their place."""
_COUNTER = "num_batches_tracked"
"""Older files lack it, and nothing depends on it where BatchNorm has a momentum."""


def export_backbone(network: nn.Module, path: str | Path) -> None:
    """Write a backbone's weights as safetensors.

    The names are those of its ``state_dict()``: of ResNets and ViTs torchvision's, of
    ResNets timm's as well. A classifier is not among them.

    Args:
        network: The backbone, or a method with one.
        path: The file; what it held is replaced when the new one is whole. Its metadata
            say the version of this package and the class of the backbone.

    Raises:
        OSError: If it cannot be written; what it held is kept.
    """
    backbone = network
    if isinstance(network, SelfSupervisedMethod):
        backbone = network.backbone
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in backbone.state_dict().items()
    }
    kind = type(backbone)
    name = f"{kind.__module__}.{kind.__qualname__}"
    # One entry: several come in random order, and the same weights are the same file.
    metadata = {"source": f"avalanche_pnr {avalanche_pnr.__version__}, {name}"}
    write_whole(Path(path), save(weights, metadata))


def load_backbone(backbone: nn.Module, path: str | Path) -> None:
    """Give a backbone the weights of a file; nothing in the file is executed.

    Files of :func:`export_backbone`, torchvision, timm's ResNets, solo-learn, CaSSLe,
    PNR's authors and MoCo, and the states of this package: of whatever else a file
    holds, heads for example, nothing is taken. Methods copy their backbone, so load it
    before the method is made.

    Args:
        backbone: Maps images to features; it is not changed if the file does not fit.
        path: ``.safetensors``, or a file of ``torch.save``.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is damaged, holds what could be executed, or does not fit;
            with the names that differ and the remedy.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is no file: name one of weights, a run's "
            "backbone_NAME.safetensors for example"
        )
    tensors, wanted = _tensors(path), backbone.state_dict()
    weights = max(
        (_below(prefix, tensors) for prefix in _PREFIXES),
        key=lambda each: len(each.keys() & wanted.keys()),
    )
    weights = {
        name: tensor
        for name, tensor in weights.items()
        if name in wanted or not name.startswith(_HEADS)
    }
    _check(weights, wanted, f"{path} does not fit {type(backbone).__name__}")
    check_numbers(weights, wanted, path)
    backbone.load_state_dict(weights)


def _tensors(path: Path) -> dict[str, Tensor]:
    """All weights that a file holds, by the names it has for them."""
    if path.suffix == ".safetensors":
        return _safetensors(path)
    content = load_plain(path)
    if isinstance(content, dict) and content.keys() == {"version", "state"}:
        content = read_state(path)  # checks its digest
    for name in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    values = content.items() if isinstance(content, dict) else ()
    tensors = {name: value for name, value in values if isinstance(value, Tensor)}
    check_names(tensors, path)
    if not tensors:
        raise ValueError(
            f"{path} holds no weights: of a run take backbone_NAME.safetensors or "
            "first_experience.pt (its state.pt has weights between two batches only), "
            'of another program the file with its "state_dict"'
        )
    return tensors


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged, or no safetensors file ({error}): fetch it again"
        ) from error


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _check(weights: dict[str, Tensor], wanted: dict[str, Tensor], what: str) -> None:
    """Refuse weights of another backbone."""
    missing = [k for k in wanted if k not in weights and not k.endswith(_COUNTER)]
    unexpected = [k for k in weights if k not in wanted]
    other = [
        f"{k} is {tuple(weights[k].shape)} there and {tuple(wanted[k].shape)} here"
        for k in weights
        if k in wanted and weights[k].shape != wanted[k].shape
    ]
    parts = {"missing": missing, "unexpected": unexpected, "of another shape": other}
    faults = [f"{part}: {_some(names)}" for part, names in parts.items() if names]
    if faults:
        raise ValueError(
            f"{what} ({'; '.join(faults)}): choose the backbone that it is of, and its "
            "stem, small_images=True for a conv1 of 3x3 and False for ImageNet's of 7x7"
        )


def _some(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
