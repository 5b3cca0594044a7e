"""What is typed wrong in Python is named, with what to type instead."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avalanche_pnr import Learner

Call = Callable[[Path], object]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda folder: Learner(folder, epochs=1),
            r"^Learner\(\) has no option 'epochs': give epochs to learn\(\)$",
        ),
        (lambda folder: Learner(folder, metod="byol"), r"did you mean method\?$"),
        (lambda folder: Learner(folder, seed="1"), "seed='1' must be int, not str"),
        (
            lambda folder: Learner(folder, device="cpu"),
            r"'device': give device to learn\(\) or embed\(\) or judge\(\)",
        ),
        (
            lambda folder: Learner(folder, **{"bakbone.width": 8}),
            r"no option 'bakbone\.width'; did you mean backbone\.NAME\?",
        ),
        (
            lambda folder: Learner(folder).learn(folder, epoch=3),
            r"^learn\(\) has no option 'epoch'; did you mean epochs\?$",
        ),
        (
            lambda folder: Learner(folder).learn(folder, **{"backbone.width": 8}),
            r"'backbone\.width': give backbone\.NAME to Learner\(\)",
        ),
        (
            lambda folder: Learner(folder).learn(folder, epochs="3"),
            r"epochs='3' must be int \| None, not str",
        ),
        (
            lambda folder: Learner(folder).embed(folder, epoch=3),
            r"^embed\(\) has no option 'epoch': give epochs to learn\(\)$",
        ),
        (
            lambda folder: Learner(folder).learn(folder, dry="false"),  # type: ignore[arg-type]
            r"^dry='false' must be bool, not str$",
        ),
        (
            lambda folder: Learner(folder).learn(folder, epochs=True),
            r"^epochs=True must be int \| None, not bool$",
        ),
        (
            lambda folder: Learner(folder).embed(folder, limit=5),
            r"^embed\(\) has no option 'limit'; ",
        ),
        (
            lambda folder: Learner(folder).export(folder, afer=1),  # type: ignore[call-arg]
            r"^export\(\) has no option 'afer'; did you mean after\?$",
        ),
    ],
)
def test_a_wrong_keyword_is_named_with_the_right_one(
    call: Call, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match=sentence):
        call(tmp_path / "birds")
    assert not (tmp_path / "birds").exists()


def test_numbers_and_paths_are_taken_as_python_has_them(
    make_learner: Any, photos: list[Path], tmp_path: Path
) -> None:
    learner = make_learner(init=tmp_path / "nowhere.pth")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        learner.learn(photos[0], base_lr=1, batch_size=16)
