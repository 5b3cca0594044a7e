"""Options of a learner: their names, types, defaults and meanings, each said once."""

import inspect
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from avalanche_pnr.learner.names import group, has_no_option, nearest

LARGEST = 2**32 - 1
"""The largest number that any option may be: what seeds of NumPy may be."""
WIDER: dict[Any, Any] = {float: float | int, float | None: float | int | None}
"""Types whose values a type takes as well, as everywhere in Python."""


def option(
    default: Any,
    meaning: str,
    least: float | None = None,
    most: float = LARGEST,
    *,
    above: bool = False,
) -> Any:
    """Make a field of a dataclass of options.

    Args:
        default: Its default; ``"..."`` if it must be given.
        meaning: Its line in ``--help``.
        least: The smallest number that it may be, if it is one.
        most: The largest.
        above: Whether it must be above ``least``.
    """
    bounds = None if least is None else (least, most, above)
    return field(default=default, metadata={"meaning": meaning, "bounds": bounds})


class Options:
    """A dataclass of options, which refuses other types, and numbers out of bounds."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for each in fields(cast(Any, self)):
            value, bounds = getattr(self, each.name), each.metadata["bounds"]
            hint = hints[each.name]
            if not isinstance(value, WIDER.get(hint, hint)) or (
                isinstance(value, bool) and hint is not bool  # Python's is an int
            ):
                raise TypeError(
                    f"{each.name}={value!r} must be {inspect.formatannotation(hint)}, "
                    f"not {type(value).__name__}"
                )
            if value is None or bounds is None:
                continue
            least, most, above = bounds
            if not value >= least or (above and value == least):
                bound = "above" if above else "at least"
                raise ValueError(f"{each.name}={value} must be {bound} {least:g}")
            if value > most:
                raise ValueError(f"{each.name}={value} must be at most {most}")


@dataclass(frozen=True)
class Settings(Options):
    """Options that make a learner, and never change."""

    method: str = option(
        "vicreg", "vicreg, barlow_twins, simclr, byol or mocov2plus; method.NAME=value"
    )
    backbone: str = option(
        "resnet18",
        "resnet18, resnet34, resnet50, resnet_small, vit_tiny, timm/NAME, or "
        "package.function; backbone.NAME=value",
    )
    init: str | None = option(None, "file of weights that the backbone begins with")
    init_key: str | None = option(None, "which network of that file, if it has several")
    image_size: int = option(128, "height and width of a view, pixels", 1)
    seed: int = option(0, "of weights, views and the order of images", 0)


@dataclass(frozen=True)
class Training(Options):
    """Options of an experience; the next one begins with the same."""

    regularizer: str = option("pnr", "pnr, cassle, pfr, less_forget or none")
    epochs: int | None = option(
        None, "passes over the images; by their number", 1, 10**6
    )
    batch_size: int | None = option(None, "images in a step; at most 256, by number", 2)
    base_lr: float | None = option(
        None, "rate for 256 images; the method's", 0, above=True
    )
    optimizer: str = option("lars", "lars, as published, sgd or adamw")
    warmup_epochs: int = option(10, "epochs of linear warm-up, a tenth at most", 0)
    predictor_hidden_dim: int = option(2048, "width of the distillation predictor", 1)
    augment: str = option("photographs", "photographs, digits or none")
    views: str = option("per_sample", "per_sample, or batched: on the device")
    workers: int = option(0, "processes that load images", 0)
    precision: str = option("fp32", "fp32, bf16 or fp16")
    device: str = option("auto", "auto, cpu, mps, cuda or cuda:1")
    memory: int = option(0, "images of earlier experiences to replay", 0)
    sample: int = option(
        64, "images kept of each experience, to watch for forgetting", 0
    )
    keep: str = option("all", "all backbones, or the last")
    save_every_minutes: float = option(10.0, "minutes between two saved states", 0)


NETWORKS = ("backbone", "method")
"""Options that take arguments of their own, as ``backbone.width``."""
MAY_DIFFER = ("device", "workers", "save_every_minutes", "keep")
"""Options of :class:`Training` that may change while an experience is interrupted."""


@dataclass(frozen=True)
class Once(Options):
    """Options that hold for one call of ``learn``."""

    again: bool = option(False, "also learn images that were learned before")
    dry: bool = option(False, "say what would happen, and do nothing")
    forget_images: bool = option(False, "remove the sample and the memory")


@dataclass(frozen=True)
class Opening(Options):
    """Options of opening files of images."""

    skip_damaged: bool = option(False, "leave out images that cannot be read")
    max_pixels: int | None = option(
        None, "pixels that an image may have; 179 million", 1, 2**62
    )


@dataclass(frozen=True)
class Reading(Options):
    """Options of passing images through a backbone."""

    batch_size: int = option(256, "images in a forward pass", 1)
    workers: int = option(0, "processes that load images", 0)
    device: str = option("auto", "auto, cpu, mps, cuda or cuda:1")


def parse(
    arguments: Iterable[str],
    kinds: Iterable[type],
    command: str,
    commands: Mapping[str, Collection[str]],
) -> dict[str, Any]:
    """Parse ``name=value`` arguments.

    Args:
        arguments: The command line.
        kinds: Dataclasses of the options that it may name.
        command: Its name.
        commands: Names of the options of each command; ``backbone.NAME`` for those
            that take arguments of their own, as ``backbone.width=32``.

    Returns:
        Values by name; those of ``backbone.width=32`` as ``{"backbone.width": 32}``.

    Raises:
        ValueError: For what is no ``name=value``, an unknown name (with the nearest
            one, or the command that has it), a name given twice, or a value of another
            type.
    """
    hints = {
        name: hint for kind in kinds for name, hint in get_type_hints(kind).items()
    }
    values: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        name = name.lstrip("-").replace("-", "_")
        if not equals:
            raise ValueError(f"{argument!r} is not an option: write name=value")
        if name in values:
            raise ValueError(f"{name}= is given twice: give it once")
        if group(name) not in commands[command]:
            raise ValueError(has_no_option(name, command, commands))
        if name in hints:
            values[name] = _convert(name, text, hints[name])
        else:
            values[name] = _literal(text)
    return values


def checked(name: str, value: str, valid: Mapping[str, Any]) -> Any:
    """Look a choice up by its name.

    Raises:
        ValueError: If there is none, with the nearest.
    """
    if value not in valid:
        raise ValueError(f"there is no {name}={value}{nearest(value, valid)}")
    return valid[value]


def check_out(path: Path, endings: Collection[str]) -> None:
    """Refuse a file of an unknown format, or in a folder that does not exist.

    Args:
        path: The file to be written.
        endings: Endings of the formats that can be written.

    Raises:
        FileNotFoundError: With the folder.
        ValueError: With the endings.
    """
    if path.suffix not in endings:
        *others, last = endings
        raise ValueError(f"out={path} must end in {', '.join(others)} or {last}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"out={path}: there is no folder {path.parent}")


def table(kinds: Iterable[type]) -> str:
    """List options with their defaults and meanings, a line each."""
    rows = [
        (f"{each.name}={_default(each)}", each.metadata["meaning"])
        for kind in kinds
        for each in fields(kind)
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:{width}}  {meaning}" for name, meaning in rows)


def differences(before: Any, now: Any, except_for: Collection[str] = ()) -> list[str]:
    """List the options of two dataclasses of one kind that differ, as text."""
    old, new = asdict(before), asdict(now)
    return [
        f"{name}={new[name]} (it has {name}={old[name]})"
        for name in old
        if old[name] != new[name] and name not in except_for
    ]


def _default(each: "Field[Any]") -> str:
    if each.default is None:
        return ""
    text = str(each.default)
    return text.lower() if isinstance(each.default, bool) else text


def _convert(name: str, text: str, hint: Any) -> Any:
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if type(None) in kinds and text in ("", "null", "none"):
        return None
    if not text:
        raise ValueError(f"{name}= is empty: write {name}=VALUE")
    (kind,) = (each for each in kinds if each is not type(None))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{name}={text} is neither true nor false")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError:
        what = {int: "a whole number", float: "a number"}[kind]
        raise ValueError(f"{name}={text} is not {what}") from None


def _literal(text: str) -> Any:
    """Convert text to a number or truth value if it is one."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
