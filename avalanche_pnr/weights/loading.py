"""Export and loading of backbone weights, under torchvision's names."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.runs.files import load_plain, read_state, write_whole
from avalanche_pnr.version import __version__
from avalanche_pnr.weights.checks import check_name, check_numbers

Weights = dict[str, Tensor]

_WRAPPERS = {"_orig_mod", "module", "_fsdp_wrapped_module"}
"""Attributes in which ``torch.compile``, ``DataParallel`` etc. keep the network."""
_COPIES = re.compile(r"momentum|\bencoder_k\b|\bfrozen_|\bpast_")
"""Names in published formats of momentum and frozen copies of the network."""
_COUNTER = "num_batches_tracked"
"""Counter that older files lack, and BatchNorm with a momentum does not need."""


def export_backbone(network: nn.Module, path: str | Path) -> None:
    """Write a backbone's weights as safetensors.

    The names are those of its ``state_dict()``: of ResNets and ViTs torchvision's, of
    ResNets timm's as well. A classifier is not among them, and neither are the names
    that ``torch.compile`` and ``DataParallel`` put before those of the network.

    Args:
        network: The backbone, or a method with one.
        path: The file; its content is replaced once the new one is complete. Its
            metadata give the version of this package and the class of the backbone.

    Raises:
        OSError: If it cannot be written; its content is kept.
    """
    backbone = _unwrapped(network)
    if isinstance(backbone, SelfSupervisedMethod):
        backbone = _unwrapped(backbone.backbone)
    weights = {
        _own_name(backbone, name): tensor.detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, tensor in backbone.state_dict().items()
    }
    kind = type(backbone)
    name = f"{kind.__module__}.{kind.__qualname__}"
    # One entry: several come in random order, and the same weights are the same file.
    metadata = {"source": f"avalanche_pnr {__version__}, {name}"}
    write_whole(Path(path), save(weights, metadata))


@dataclass(frozen=True)
class LoadedWeights:
    """Report of the weights that :func:`load_backbone` used and left in a file.

    Attributes:
        path: The file.
        key: Prefix of the weights in the file; empty if there is none.
        used: Names of the backbone's weights that were loaded.
        unused: Names in the file that were not used: heads, other networks.
        missing: Names of the backbone's buffers that were kept, counters of batches.
    """

    path: Path
    key: str
    used: list[str]
    unused: list[str]
    missing: list[str]

    def __str__(self) -> str:
        where = f" under {self.key!r}" if self.key else ""
        sentence = f"{self.path}: {len(self.used)} tensors{where} are used"
        if self.unused:
            are = "are" if len(self.unused) > 1 else "is"
            sentence += f", {len(self.unused)} {are} not ({_some(self.unused)})"
        if self.missing:
            sentence += f"; the file lacks {_some(self.missing)}, which is harmless"
        return sentence


def load_backbone(
    backbone: nn.Module, path: str | Path, key: str | None = None
) -> LoadedWeights:
    """Load the weights of a file into a backbone; nothing in the file is executed.

    Whatever stands before the backbone's names in the file does not matter: wrappers
    of checkpoints (``state_dict``, ``model``, ``teacher``, ...), names of networks
    (``backbone.``, ``encoder_q.``, ...), ``module.`` and ``_orig_mod.``. The weights
    are those under the one prefix that has all names of the backbone. Momentum and
    frozen networks of published formats are passed over where the trained one is there.

    Methods copy their backbone, so load it before the method is made.

    Args:
        backbone: Maps images to features; it is not changed if the file does not fit.
        path: ``.safetensors``, or a file of ``torch.save``.
        key: A part of the prefix, such as ``"teacher"``, that selects one of several
            networks in a file.

    Returns:
        The names used, unused and missing; as text, one sentence.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is damaged, holds objects that could be executed, lacks a
            weight of the backbone, or has them several times; with the names that
            differ and the remedy.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not a file: name one with weights, a run's "
            "backbone_NAME.safetensors for example"
        )
    names = {_without_wrappers(name): name for name in backbone.state_dict()}
    wanted = {name: backbone.state_dict()[own] for name, own in names.items()}
    tensors = _tensors(path)
    found = _below_prefixes(tensors, wanted)
    if key is not None:
        found = _chosen(path, found, key, wanted)
    complete = _complete(found, wanted)
    if not complete:
        raise ValueError(_difference(path, backbone, found, wanted))
    prefix = _the_only(path, complete)
    weights = {k: v for k, v in found[prefix].items() if k in wanted}
    check_numbers(weights, wanted, path)
    backbone.load_state_dict({names[name]: value for name, value in weights.items()})
    used = {prefix + name for name in weights}
    return LoadedWeights(
        path,
        prefix.removesuffix("."),
        [names[name] for name in weights],
        [name for name in tensors if name not in used],
        [names[name] for name in wanted if name not in weights],
    )


def _unwrapped(network: nn.Module) -> nn.Module:
    """The network that ``torch.compile``, ``DataParallel`` and others wrap."""
    while (inner := _wrapped_name(network)) is not None:
        network = getattr(network, inner)
    return network


def _wrapped_name(network: Any) -> str | None:
    children = list(getattr(network, "_modules", ()))
    only = children[0] if len(children) == 1 else None
    return only if only in _WRAPPERS else None


def _own_name(network: nn.Module, name: str) -> str:
    """The name that a weight has in a network when nothing in it is wrapped."""
    kept, module = [], network
    for part in name.split("."):
        if part != _wrapped_name(module):
            kept.append(part)
        module = getattr(module, part)
    return ".".join(kept)


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _tensors(path: Path) -> Weights:
    """All weights in a file by name, without wrappers."""
    content: Any = _safetensors(path) if _is_safetensors(path) else load_plain(path)
    if isinstance(content, dict) and content.keys() == {"version", "state"}:
        state = read_state(path)  # checks its digest
        content = state.get("strategy", state)  # of a run, or of a strategy
        if isinstance(content, dict):
            content = content.get("model", content)
    tensors = {_without_wrappers(name): each for name, each in _flat(content, path)}
    if not tensors:
        raise ValueError(
            f"{path} holds no weights: of a run take backbone_NAME.safetensors or "
            "first_experience.pt (its state.pt has weights between two batches only), "
            "of another program the file with its state_dict()"
        )
    return tensors


def _flat(content: Any, path: Path, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Tensors of nested dictionaries, by dotted names."""
    for name, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, Tensor):
            check_name(name, path)
            yield prefix + name, value
        else:
            yield from _flat(value, path, f"{prefix}{name}.")


def _is_safetensors(path: Path) -> bool:
    """Return whether a file is one of safetensors, whatever its name is."""
    with path.open("rb") as file:
        begin = file.read(9)
    if begin[8:] == b"{":  # after the length of the description comes that itself
        return True
    return path.suffix == ".safetensors" and not begin.startswith((b"PK", b"\x80"))


def _safetensors(path: Path) -> Weights:
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged, or not a safetensors file ({error}): fetch it again"
        ) from error


def _below_prefixes(tensors: Weights, wanted: Weights) -> dict[str, Weights]:
    """Weights by name below each prefix before a name of the backbone."""
    prefixes = {
        name.removesuffix(each)
        for name in tensors
        for each in _endings(name)
        if each in wanted
    }
    return {
        prefix: {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        for prefix in sorted(prefixes, key=lambda each: (each.count("."), each))
    }


def _endings(name: str) -> Iterator[str]:
    """``a.b.c``, ``b.c`` and ``c``."""
    while name:
        yield name
        name = name.partition(".")[2]


def _complete(found: dict[str, Weights], wanted: Weights) -> dict[str, Weights]:
    """Prefixes below which all weights of the backbone are."""
    return {k: v for k, v in found.items() if not _faults(v, wanted)}


def _chosen(
    path: Path, found: dict[str, Weights], key: str, wanted: Weights
) -> dict[str, Weights]:
    """Prefixes that equal a key or contain it."""
    asked = f".{key.strip('.')}."
    chosen = {k: v for k, v in found.items() if asked in f".{k}" or k == key}
    if not chosen:
        fitting = [each.removesuffix(".") for each in _complete(found, wanted)]
        there = ", ".join(repr(each) for each in fitting if each)
        raise ValueError(
            f"{path} has no weights of this backbone under init_key={key}: "
            + (f"choose one of {there}" if there else "leave init_key out")
        )
    return chosen


def _the_only(path: Path, complete: dict[str, Weights]) -> str:
    """The prefix of the network that was trained.

    Raises:
        ValueError: If there are several, with what to type.
    """
    left = [each for each in complete if not _COPIES.search(each)] or list(complete)
    if len(left) > 1:
        there = ", ".join(repr(each.removesuffix(".")) for each in left)
        raise ValueError(
            f"{path} holds several networks that fit ({there}): say which, with "
            "init_key=NAME on the command line, load_backbone(..., key=NAME) in Python"
        )
    return left[0]


def _faults(weights: Weights, wanted: Weights) -> list[str]:
    """Describe how weights differ from those of the backbone."""
    missing = [k for k in wanted if k not in weights and not k.endswith(_COUNTER)]
    own = {name.partition(".")[0] for name in wanted}
    unexpected = [k for k in weights if k not in wanted and _is_of_body(k, own)]
    other = [
        f"{k} is {tuple(weights[k].shape)} there and {tuple(wanted[k].shape)} here"
        for k in weights
        if k in wanted and weights[k].shape != wanted[k].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": other}
    return [f"{kind}: {_some(names)}" for kind, names in kinds.items() if names]


def _is_of_body(name: str, own: set[str]) -> bool:
    """Return whether a weight belongs to a layer of the backbone, or one numbered on.

    Others belong to heads and anything else in a file.
    """
    top = name.partition(".")[0]
    return top in own or (top.isdecimal() and any(map(str.isdecimal, own)))


def _difference(
    path: Path, backbone: nn.Module, found: dict[str, Weights], wanted: Weights
) -> str:
    """Describe how the most similar weights in a file differ from a backbone's."""
    nearest = max(
        found.values(), key=lambda each: len(each.keys() & wanted.keys()), default={}
    )
    faults = _faults(nearest, wanted)
    stem = (
        ", and its stem, small_images=True for a conv1 of 3x3 and False for ImageNet's "
        "of 7x7 (on the command line data.small_images)"
        if any("conv1.weight is (" in fault for fault in faults)
        else ""
    )
    return (
        f"{path} does not fit {type(_unwrapped(backbone)).__name__} "
        f"({'; '.join(faults)}): choose the backbone that it is of{stem}"
    )


def _some(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
