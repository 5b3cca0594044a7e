"""Paths as people write them on a command line."""

from pathlib import Path

import pytest

from experiments.overrides import parse
from experiments.paths import quoted_paths


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("data.path=~/photos", "{home}/photos"),
        ("data.path=~/my photos (1)", "{home}/my photos (1)"),
        ("out=~/runs, old", "{home}/runs, old"),
        ("init=/disk/it's here/w.pth", "/disk/it's here/w.pth"),
        ("data.path=a b/c [2]", "a b/c [2]"),
        ("data.path=ünï çödé", "ünï çödé"),
        ("data.path=写真", "写真"),
        ("data.path=photos (1)", "photos (1)"),
        ("out=Anna's run", "Anna's run"),
        ("data.path=C:\\my photos\\new", "C:\\my photos\\new"),
    ],
)
def test_paths_are_understood_as_they_are_written(
    argument: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (quoted,) = quoted_paths([argument])
    assert parse(quoted).value() == value.format(home=tmp_path)


@pytest.mark.parametrize(
    "argument",
    [
        "--multirun",
        "seed=0, 1",
        "regularizers=[finetune, pnr]",
        "references=[raw pixels]",
        "data.labelled={_target_: avalanche_pnr.load_folders, path: my/photos}",
        "data.path='~/as it is'",
        "data.path=a/b,c/d",
        "~seed",
    ],
)
def test_everything_else_stays(argument: str) -> None:
    assert quoted_paths([argument]) == [argument]
