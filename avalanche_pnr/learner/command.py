"""The command ``avalanche-pnr``: a learner on the command line."""

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from avalanche_pnr.learner.names import group
from avalanche_pnr.learner.options import (
    NETWORKS,
    Once,
    Opening,
    Options,
    Reading,
    Settings,
    Training,
    checked,
    option,
    parse,
    table,
)
from avalanche_pnr.runs.failures import (
    explain_dead_worker,
    explain_full_device,
    sentence,
    warnings_as_lines,
)


@dataclass(frozen=True)
class Where(Options):
    """Option that every command needs."""

    learner: str = option("...", "folder of the learner")


@dataclass(frozen=True)
class WithData(Where):
    """Options of commands that take images."""

    data: str = option(
        "...",
        "folder of images at any depth, .txt of paths, tar shards, .npz, or any data "
        "set: data._target_=torchvision.datasets.CIFAR10 data.root=...",
    )


@dataclass(frozen=True)
class WithLabels(Where):
    """Options of ``judge``."""

    data: str = option("...", "folder of labelled images")
    csv: str | None = option(None, "instead of data: table with columns path and label")
    layout: str = option("class", "of a folder: class, or experience/class")


@dataclass(frozen=True)
class Embedding(WithData):
    """Options of ``embed``."""

    out: str = option("...", "features.csv, .npz or .parquet")
    after: int | None = option(None, "experience whose backbone is taken; the last")


@dataclass(frozen=True)
class Exporting(Where):
    """Options of ``export``."""

    out: str = option("...", "backbone.safetensors or .onnx")
    after: int | None = option(None, "experience whose backbone is taken; the last")


@dataclass(frozen=True)
class Showing(Where):
    """Options of ``info``."""

    json: bool = option(False, "for programs: one object of JSON")


@dataclass(frozen=True)
class Trusting:
    """Option that must be typed again to open some learners."""

    backbone: str | None = option(
        None, "package.function of a learner made with one, to trust it"
    )


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        meaning: Its line in the usage.
        kinds: Dataclasses of its options.
        run: Called with the options that were given.
        nested: Options that take arguments of their own.
        instead_of_data: Option without which ``data`` must be given.
    """

    meaning: str
    kinds: tuple[type, ...]
    run: Callable[[dict[str, Any]], object]
    nested: tuple[str, ...] = ()
    instead_of_data: str = "data"

    @property
    def options(self) -> list[str]:
        """Names of its options, ``backbone.NAME`` for those of an option's own."""
        return [
            *(each.name for kind in self.kinds for each in fields(kind)),
            *(group(f"{each}.") for each in self.nested),
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors become one sentence and exit status 1."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(usage())
        return
    if arguments[0] == "--version":
        from avalanche_pnr import __version__

        print(f"avalanche-pnr {__version__}")
        return
    try:
        _dispatch(arguments)
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        sys.exit(f"error: {sentence(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


def usage() -> str:
    """List the commands."""
    lines = [f"  {name:8} {each.meaning}" for name, each in COMMANDS.items()]
    return "\n".join(
        [
            "usage: avalanche-pnr COMMAND name=value ...",
            "",
            "Learn representations from images that keep arriving, without labels.",
            "",
            *lines,
            "",
            "avalanche-pnr COMMAND --help lists the options of a command.",
        ]
    )


def _dispatch(arguments: Sequence[str]) -> None:
    name, *rest = arguments
    command = checked("command", name, COMMANDS)
    if any(each in ("--help", "-h") for each in rest):
        print(f"usage: avalanche-pnr {name} name=value ...\n\n{command.meaning}\n")
        print(table(command.kinds))
        return
    options = {each: COMMANDS[each].options for each in COMMANDS}
    values = with_target(parse(rest, command.kinds, name, options))
    present = {each for each, value in values.items() if value}
    if command.instead_of_data in present:
        present.add("data")
    for each in (each for kind in command.kinds for each in fields(kind)):
        if each.default == "..." and each.name not in present:
            raise ValueError(f"{name} needs {each.name}=: {each.metadata['meaning']}")
    _run(command, values, arguments)


def with_target(values: dict[str, Any]) -> dict[str, Any]:
    """Gather ``data._target_=...`` and its arguments as one value, ``data``.

    Raises:
        ValueError: If ``data`` has arguments and no target, or is a path as well.
    """
    nested = {k: v for k, v in values.items() if k.startswith("data.")}
    if not nested:
        return values
    if "data" in values or "data._target_" not in nested:
        raise ValueError(
            f"{', '.join(nested)}: arguments are for data._target_=package.DataSet, "
            "and a folder or file is data=PATH"
        )
    rest = {k: v for k, v in values.items() if k not in nested}
    return {"data": {k.removeprefix("data."): v for k, v in nested.items()}, **rest}


def _run(command: Command, values: dict[str, Any], arguments: Sequence[str]) -> None:
    """Run a command; a signal ends it in order, with what continues it."""
    from avalanche_pnr.runs.interruption import InterruptedRunError, Interruption

    try:
        with (
            Interruption(),
            explain_dead_worker(),
            explain_full_device(),
            warnings_as_lines(),
        ):
            command.run(values)
    except InterruptedRunError as stop:
        again = f"avalanche-pnr {shlex.join(arguments)}"
        with suppress(OSError):  # its terminal may have been closed
            print(f"stopped by {stop}; continue with: {again}", file=sys.stderr)
        sys.exit(128 + stop.number)


def _learner(values: dict[str, Any], **settings: Any) -> Any:
    from avalanche_pnr.learner.learner import Learner
    from avalanche_pnr.runs.progress import Bar

    return Learner(values.pop("learner"), say=Bar.write, **settings)


def _learn(values: dict[str, Any]) -> None:
    settings = {each.name for each in fields(Settings)}
    chosen = {k: values.pop(k) for k in list(values) if k in settings or "." in k}
    others = sorted({*chosen, *values} - {"learner", "forget_images"})
    if others and "data" not in values:
        raise ValueError(
            f"{others[0]}= is an option of learning: name images with data=, "
            "or write forget_images=true alone"
        )
    learner = _learner(values, **chosen)
    if others:
        learner.learn(**values)
    else:
        learner.forget_images()


def _opened(values: dict[str, Any]) -> Any:
    return _learner(
        values, **{k: values.pop(k) for k in ("backbone",) if values.get(k)}
    )


def _embed(values: dict[str, Any]) -> None:
    _opened(values).embed(**values)


def _judge(values: dict[str, Any]) -> None:
    table = values.pop("csv", None)
    if table is not None and "data" in values:
        raise ValueError("judge takes images from data= or from csv=, not from both")
    _opened(values).judge(**{"data": table, **values})


def _export(values: dict[str, Any]) -> None:
    _opened(values).export(**values)


def _report(values: dict[str, Any]) -> None:
    _learner(values).report()


def _info(values: dict[str, Any]) -> None:
    from avalanche_pnr.learner.description import describe

    learner = _learner({"learner": values["learner"]})
    info = learner.info()
    if values.get("json"):
        print(json.dumps(info, indent=1))
    else:
        print(describe(str(learner.folder.path), info))


def _undo(values: dict[str, Any]) -> None:
    _learner(values).undo()


COMMANDS = {
    "learn": Command(
        "learn from images; the first ones make the learner",
        (WithData, Settings, Training, Opening, Once),
        _learn,
        nested=("data", *NETWORKS),
        instead_of_data="forget_images",
    ),
    "embed": Command(
        "write features of images",
        (Embedding, Trusting, Opening, Reading),
        _embed,
        nested=("data",),
    ),
    "judge": Command(
        "judge what was learned by labelled images",
        (WithLabels, Trusting, Opening, Reading),
        _judge,
        instead_of_data="csv",
    ),
    "export": Command(
        "write a backbone's weights, or ONNX", (Exporting, Trusting), _export
    ),
    "report": Command("write report.html into the learner's folder", (Where,), _report),
    "info": Command(
        "what it has learned, from what, when, with what", (Showing,), _info
    ),
    "undo": Command("go back to before the last experience", (Where,), _undo),
}
