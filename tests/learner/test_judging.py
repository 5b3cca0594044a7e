"""What is said of the last experience, by the same test images before and after it."""

import pytest
import torch

from avalanche_pnr.learner.judging import Judgement, verdict

WRONG, RIGHT = [0.0] * 40, [1.0] * 40


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (WRONG + RIGHT, RIGHT + RIGHT, "helped: linear accuracy rose by 50.0 points"),
        (RIGHT + RIGHT, WRONG + RIGHT, "hurt: linear accuracy fell by 50.0 points"),
        (
            [0.0, 1.0, 0.0, *RIGHT],
            [1.0, 0.0, 1.0, *RIGHT],
            "cannot tell whether the last experience helped",
        ),
        (WRONG + RIGHT, WRONG + RIGHT, "right on the same of the 80 test images"),
    ],
)
def test_the_verdict_says_as_much_as_the_images_can_tell(
    before: list[float], after: list[float], said: str
) -> None:
    judged = [Judgement("", {}, torch.tensor(each)) for each in (before, after)]
    assert said in verdict(*judged)
