"""Reading the files of a run with checks, as their author may be unknown."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from avalanche_pnr.evaluation.records import (
    FIELDS,
    MOST_EXPERIENCES,
    TEXT,
    Kind,
    misfits,
    read_records,
    shortened,
    whole_number,
)
from experiments.constants import CONFIG, REFERENCES, RESULTS

LARGEST_CONFIG = 2**20
"""Largest size of a configuration in bytes."""
DEEPEST = 30
"""Largest number of levels of a configuration."""
REMEDY = "restore it, or run its command again with another out="


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(TEXT.fits, value))


def _are_names(value: Any) -> bool:
    return _are_texts(value) and len(set(value)) == len(value)


def _is_fact(value: Any) -> bool:
    return value is None or isinstance(value, int | float) or TEXT.fits(value)


TEXTS = Kind(_are_texts, "a list of texts")
NAMES = Kind(_are_names, "a list of different names")
SETTINGS = {
    "out": TEXT,
    "seed": whole_number(0, 2**63),
    "references": Kind(
        lambda value: _are_names(value) and set(value) <= set(REFERENCES),
        f"a list of some of {', '.join(REFERENCES)}",
    ),
    "regularizers": Kind(
        lambda value: bool(value) and _are_names(value), "a list of different names"
    ),
    "data.name": TEXT,
    "data.image_size": whole_number(1, 2**31),
    "method._target_": TEXT,
    "backbone._target_": TEXT,
    "optimizer._target_": TEXT,
    "stream._target_": TEXT,
    "epochs": whole_number(1, 2**31),
    "batch_size": whole_number(1, 2**31),
}
"""Settings that a report needs, by their names on the command line."""

_COUNT = Kind(
    lambda value: value is None or whole_number(0, 2**63).fits(value),
    "a whole number from 0",
)
_LENGTH = whole_number(1, MOST_EXPERIENCES)
DESCRIPTIONS = {
    "stream": {"train": _LENGTH, "test": _LENGTH},
    "command": {"overrides": TEXTS},
    "probes": {"names": NAMES, "descriptions": TEXTS},
}
"""Fields of the lines that describe a run, by kind of line."""
OPTIONAL = {
    "stream": {
        "classes": whole_number(0, 2**63),
        "skipped": _COUNT,
        "duplicates": _COUNT,
    }
}
EVALUATION = ("metric", "value", "after")
"""Fields of a line about a stream."""


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration of a run; nothing is resolved.

    Raises:
        ValueError: If the file is not a mapping of plain values, or larger than any
            that a run writes; the message names it.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_CONFIG + 1)
    try:
        if len(content) > LARGEST_CONFIG:
            raise ValueError(f"more than {LARGEST_CONFIG} bytes")
        text = content.decode()
        _check_growth(text)
        config = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)))
        if not isinstance(config, dict):
            raise ValueError("a list, and no settings by name")
        if strange := [each for each in _leaves(config) if not _is_fact(each)]:
            raise ValueError(f"a value that is not text: {shortened(strange[0])}")
    except Exception as error:  # the parser raises whatever its input leads to
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason.replace('in "<unicode string>", ', "")
        raise ValueError(
            f"{path} is not the configuration of a run ({reason}): {REMEDY}"
        ) from error
    return _by_text(config)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines that a run wrote.

    Raises:
        ValueError: If a line is not one of a run; the message names file and line.
    """
    records = read_records(path)
    longest = _length_of_stream(records)
    for number, record in enumerate(records, start=1):
        if wrong := next(_wrong(record, longest), None):
            raise ValueError(f"{path}, line {number}: {wrong}")
    return records


def read_files(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read configuration and lines of a run.

    Raises:
        FileNotFoundError: If the folder lacks one of them.
        ValueError: If one of them is damaged, or lacks data that a report needs.
    """
    for name in (CONFIG, RESULTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} holds no run: {name} is missing")
    config = read_config(folder / CONFIG)
    given = {name: _setting(config, name) for name in SETTINGS}
    if wrong := misfits(given, SETTINGS):
        raise ValueError(f"{folder / CONFIG}: {wrong[0]}; {REMEDY}")
    return config, read_lines(folder / RESULTS)


def _check_growth(text: str) -> None:
    """Refuse YAML that expands to more than it holds, or nests without end."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("an alias, *" + shortened(event.anchor))
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels")


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the keys and values of nested containers."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _by_text(config: Mapping[Any, Any]) -> dict[str, Any]:
    """Convert keys to text, as on the command line."""
    return {
        str(key): _by_text(value) if isinstance(value, dict) else value
        for key, value in config.items()
    }


def _setting(config: Any, name: str) -> Any:
    """Get a value by its name on the command line, or ``None``."""
    for part in name.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def _length_of_stream(records: Sequence[Mapping[str, Any]]) -> int:
    """Number of experiences, as far as the lines say."""
    told = (record for record in records if record.get("run") == "stream")
    lengths = (record.get(name) for record in told for name in ("train", "test"))
    return max(
        (int(n) for n in lengths if n and _LENGTH.fits(n)), default=MOST_EXPERIENCES
    )


def _wrong(record: Mapping[str, Any], longest: int) -> Iterator[str]:
    """Describe what is wrong with a line."""
    run = record.get("run")
    if not TEXT.fits(run):
        yield "run is missing" if run is None else f"run must be text, not {run!r}"
        return
    needed: Mapping[str, Kind] = DESCRIPTIONS.get(str(run), {})
    if "metric" in record or "stream" in record:
        places = ["experience"] * str(record.get("metric")).endswith("_Exp")
        names = [*EVALUATION, *places] if "stream" in record else EVALUATION
        needed = {name: FIELDS[name] for name in names}
    yield from (f"{name} is missing" for name in needed if name not in record)
    yield from misfits(record, {**needed, **OPTIONAL.get(str(run), {})})
    if record.get("after", 0) > longest or record.get("experience", 0) >= longest:
        yield f"after or experience is beyond the {longest} experiences of the stream"
    if run == "probes" and len(record["names"]) != len(record["descriptions"]):
        yield "names and descriptions must be equally many"
    if run == "environment" and not all(map(_is_fact, record.values())):
        yield "versions must be text"
