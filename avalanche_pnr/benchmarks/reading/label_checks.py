"""Checks of classes and domains: one for each image, 0..C-1, in every split."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from avalanche_pnr.benchmarks.reading.text_lists import listed


def check_integers(label: str, values: list[int], images: int) -> None:
    """Refuse labels that are not one integer for each image.

    Args:
        label: Name of the labels in error messages.
        values: The labels.
        images: Number of images.

    Raises:
        ValueError: If they are anything else, with what they are.
    """
    array = np.asarray(values)
    if array.shape != (images,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"{label} must be integers of shape ({images},), one for each image, got "
            f"{array.dtype} of shape {array.shape}: number names with "
            "names, y = np.unique(y, return_inverse=True)"
        )


def numbered_names(
    source: str, kind: str, names: Any, numbers: list[int]
) -> tuple[str, ...]:
    """Return the names of classes or domains, numbered from 0 without gaps.

    Args:
        source: Origin of the images, for error messages.
        kind: What the numbers stand for, such as classes.
        names: A name for each number, or ``None`` for the numbers themselves.
        numbers: Number of each training image.

    Raises:
        ValueError: If there are gaps, or the names do not fit.
    """
    seen = sorted(set(numbers))
    if seen != list(range(len(seen))):
        raise ValueError(
            f"{source}: training {kind} must be numbered 0, 1, 2, ... without gaps, "
            f"got {seen[:20]}: renumber them, for example with "
            "np.unique(y, return_inverse=True)"
        )
    given = [str(name) for name in np.atleast_1d(seen if names is None else names)]
    if len(given) != len(seen):
        raise ValueError(
            f"{source}: {len(given)} names for {len(seen)} {kind}: give each one name"
        )
    return tuple(given)


def check_same_numbers(
    source: str, kind: str, names: Sequence[str], train: list[int], test: list[int]
) -> None:
    """Refuse splits that do not hold the same numbers.

    Args:
        source: Origin of the images, for error messages.
        kind: What the numbers stand for, such as domains.
        names: Name of each number of the training images.
        train: Number of each training image.
        test: Number of each test image.

    Raises:
        ValueError: If they differ, with the numbers that are missing.
    """
    if different := sorted({*train} ^ {*test}):
        known = [names[number] for number in different if number < len(names)]
        raise ValueError(
            f"{source}: {kind} {different[:20]} are not in both training and test data"
            f"{f' ({listed(known)})' if known else ''}: add images of them, or leave "
            "them out of both"
        )


def check_same_names(
    source: str, kind: str, splits: Mapping[str, Iterable[str]]
) -> None:
    """Refuse folders of splits that do not hold the same names.

    Args:
        source: Place of the folders, for error messages.
        kind: What the names stand for, such as classes.
        splits: Names in the folder of each split.

    Raises:
        ValueError: If they differ, with the names that are missing.
    """
    for (here, names), (there, others) in permutations(splits.items(), 2):
        if extra := set(names) - set(others):
            raise ValueError(
                f"{source}: {here}/ has {kind} that {there}/ lacks, add or remove "
                f"them: {listed(extra)}"
            )
