import re
from typing import Any

import pytest

from tests.conftest import CONTRASTIVE, METHODS, VIEWS, WEIGHTED


@pytest.mark.parametrize("bad", [0.0, -0.1, float("nan")])
@pytest.mark.parametrize("option", ["temperature", "distillation_temperature"])
@pytest.mark.parametrize("name", CONTRASTIVE)
def test_a_temperature_must_be_positive(name: str, option: str, bad: float) -> None:
    with pytest.raises(ValueError, match="temperature must be above 0"):
        METHODS[name](**{option: bad})


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("option", ["lambda_distill", "lambda_pnr"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_a_weight_must_be_zero_or_more(name: str, option: str, bad: float) -> None:
    with pytest.raises(
        ValueError, match=rf"{option} must be 0 or more and finite, got {bad}"
    ):
        METHODS[name](**{option: bad})


@pytest.mark.parametrize("name", ["barlow", "vicreg"])
def test_statistics_of_a_batch_have_no_value_for_each_image(name: str) -> None:
    method = METHODS[name]()
    sentence = (
        f"{type(method).__name__}'s loss compares statistics of a batch and has no "
        "value for each image"
    )
    with pytest.raises(ValueError, match=sentence):
        method.loss(method(VIEWS), reduction="none")


@pytest.mark.parametrize(
    ("name", "option", "choices"),
    [
        *(
            (name, "pseudo_negatives", "'both', 'loss', 'regularizer', 'neither'")
            for name in CONTRASTIVE
        ),
        ("moco", "past_queue_start", "'random', 'filled'"),
    ],
)
def test_an_unknown_choice_is_refused_with_those_there_are(
    name: str, option: str, choices: str
) -> None:
    bad: Any
    for bad in ("nowhere", "", None):
        message = f"{option} must be one of {choices}, got {bad!r}"
        with pytest.raises(ValueError, match=re.escape(message)):
            METHODS[name](**{option: bad})
