"""Removing absolute paths from runs, so that reports may be shared."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from experiments.results import Run

NAMES = ("references", "regularizers")
"""Fields by which lines are looked up."""
DESCRIPTIONS = ("command", "probes", "environment")
"""Kinds of lines whose text is shown."""

_BEFORE = r"(?:(?<=file://)|(?<![\w./\\~%<-]))"
_ROOT = r"(?:[A-Za-z]:[\\/]|\\\\|/(?!/)|(?<!:)//(?!/))"
_QUOTED = re.compile(rf"(['\"])({_ROOT}.+?)\1")
_BARE = re.compile(rf"{_BEFORE}{_ROOT}[^\s'\"`,;=(){{}}\[\]<>|]+")

Shorten = Callable[[str], str]


def shareable(runs: Sequence[Run]) -> list[Run]:
    """Copy runs, with ``.../`` for the leading folders of absolute paths.

    Enough of each path stays to distinguish it from the others.
    """
    texts = [text for run in runs for text in _texts(run)]
    paths = {path for text in texts for path in absolute_paths(text)}
    paths |= {str(run.folder.absolute()) for run in runs}
    shorten = shortening(paths)
    return [_shortened(run, shorten) for run in runs]


def absolute_paths(text: str) -> set[str]:
    """Find the absolute paths in a text."""
    _, _, value = text.partition("=")
    whole = {
        part for each in (text, value) for part in each.split("::") if _is_path(part)
    }
    quoted = {match[2] for match in _QUOTED.finditer(text)}
    return whole | quoted | set(_BARE.findall(text))


def shortening(paths: Iterable[str]) -> Shorten:
    """Make a function that replaces absolute paths in texts by distinct ends.

    Args:
        paths: Paths to replace.
    """
    parts = {path: re.split(r"[\\/]+", path.rstrip("\\/")) for path in paths}
    shown = {
        path: f".../{'/'.join(_distinct(each, parts.values()))}"
        for path, each in parts.items()
    }
    longest_first = sorted(shown, key=len, reverse=True)
    pattern = re.compile(f"{_BEFORE}(?:{'|'.join(map(re.escape, longest_first))})")
    return lambda text: pattern.sub(lambda match: shown[match[0]], text)


def _distinct(own: list[str], others: Iterable[list[str]]) -> list[str]:
    """Shortest end of a path that no other path has, or the whole path."""
    others = [each for each in others if each != own]
    for length in range(1, len(own)):
        if all(each[-length:] != own[-length:] for each in others):
            return own[-length:]
    return own[1:]


def _is_path(text: str) -> bool:
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _texts(run: Run) -> Iterator[str]:
    """Every text of a run that may be shown."""
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    _shortened(run, keep)
    return iter(found)


def _shortened(run: Run, shorten: Shorten) -> Run:
    out = str(run.config["out"])

    def short(text: str) -> str:
        # What lies in the run's own folder stays known as such.
        if text.startswith(f"{out}/"):
            return shorten(out) + text.removeprefix(out)
        return shorten(text)

    config = {
        name: value if name in NAMES else _mapped(value, short)
        for name, value in run.config.items()
    }
    records = [
        _mapped(each, shorten) if each["run"] in DESCRIPTIONS else each
        for each in run.records
    ]
    title = shorten(str(run.folder.absolute()))
    return replace(run, config=config, records=records, title=title)


def _mapped(value: Any, change: Shorten) -> Any:
    """Apply a change to all texts in nested containers."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {name: _mapped(each, change) for name, each in value.items()}
    return value
