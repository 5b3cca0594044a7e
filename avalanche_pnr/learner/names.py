"""Names that were typed wrong: the nearest that is right, or whose it is."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from itertools import chain

FEW = 12
"""Number of names up to which all of them are listed."""
NEAR = 0.5
"""Similarity above which a name is likely to be what was meant."""
SAME = 0.85
"""Similarity above which it is the same but for a slip, whoever's it is."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the nearest valid name, or a few, as the end of a sentence."""
    valid = list(valid)
    if near := difflib.get_close_matches(name, valid, n=1, cutoff=NEAR):
        return f"; did you mean {near[0]}?"
    if len(valid) <= FEW:
        return f"; there are {', '.join(valid) or 'none'}"
    few = difflib.get_close_matches(name, valid, n=3, cutoff=0.0)
    return f"; the nearest are {', '.join(few)}"


def group(option: str) -> str:
    """Return the name under which an option is listed, ``backbone.NAME`` for many."""
    head, dot, _ = option.partition(".")
    return f"{head}.NAME" if dot else option


def has_no_option(name: str, call: str, calls: Mapping[str, Collection[str]]) -> str:
    """Say that a call does not take an option, and which does, or what is nearest.

    Args:
        name: Of the option, as it was typed.
        call: The call that was given it.
        calls: Names of the options of each call.
    """
    said, listed = f"{call} has no option {name!r}", group(name)
    everywhere = {*chain(*calls.values())}
    near = difflib.get_close_matches(listed, everywhere, n=1, cutoff=SAME)
    takers = [each for each, names in calls.items() if {*near} & {*names}]
    if not takers or call in takers:
        return f"{said}{nearest(listed, calls[call])}"
    return f"{said}: give {near[0]} to {' or '.join(takers)}"
