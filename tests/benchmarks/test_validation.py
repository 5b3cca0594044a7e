"""Images held out of training, to choose settings by."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from avalanche_pnr.benchmarks import ImageData, load_digits
from avalanche_pnr.benchmarks.reading.validation import hold_out_validation


def rows(images: object) -> set[bytes]:
    return {np.asarray(images[i][0]).tobytes() for i in range(len(images))}  # type: ignore[arg-type,index]


def test_the_same_part_of_each_class_is_held_out_of_training() -> None:
    data = load_digits()
    split = hold_out_validation(data, 0.2)
    train, held_out = Counter(split.train.targets), Counter(split.test.targets)
    for label, count in Counter(data.train.targets).items():
        assert held_out[label] == round(0.2 * count)
        assert train[label] == count - held_out[label]
    assert rows(split.train) | rows(split.test) == rows(data.train)
    assert not rows(split.test) & rows(data.test)


def test_the_split_is_that_of_the_seed() -> None:
    data = load_digits()
    same, again, other = (hold_out_validation(data, 0.2, seed) for seed in (0, 0, 1))
    assert rows(same.test) == rows(again.test)
    assert rows(same.test) != rows(other.test)


def test_images_that_probes_are_fitted_to_are_what_is_split(
    few_digits: ImageData,
) -> None:
    data = replace(few_digits, probe=few_digits.train)
    split = hold_out_validation(data, 0.25)
    assert split.probe is not None
    assert len(split.train) == len(data.train)
    assert len(split.probe) + len(split.test) == len(data.train)


def test_each_class_in_each_domain_keeps_its_part() -> None:
    x = np.arange(40, dtype=np.uint8).repeat(12).reshape(40, 2, 2, 3)
    y, domains = np.arange(40) % 2, np.arange(40) // 20
    whole = ImageData.from_arrays(
        "made", (x, y, domains), (x, y, domains), check_duplicates=False
    )
    data = hold_out_validation(whole, 0.3)
    held_out = zip(data.test.targets, data.test.domains, strict=True)
    assert Counter(held_out) == {(c, d): 3 for c in (0, 1) for d in (0, 1)}


@pytest.mark.parametrize(
    ("part", "answer"),
    [
        (0.0, "validation=0.0 must be a fraction above 0 and below 1"),
        (3.0, "validation=3.0 must be a fraction above 0 and below 1"),
        (0.99, "validation=0.99 holds out all 24 training images of class '0'"),
    ],
)
def test_parts_that_leave_nothing_are_refused(
    part: float, answer: str, few_digits: ImageData
) -> None:
    with pytest.raises(ValueError, match=answer):
        hold_out_validation(few_digits, part)
