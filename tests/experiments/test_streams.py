"""The study's streams, made of files like those that it is made of."""

from pathlib import Path

import numpy as np
import pytest

from avalanche_pnr import load_npz
from experiments.measurements import streams


def test_three_domains_have_one_size_and_classes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, classes, pixels in (
        ("cifar", 25, 32),
        ("mnist", 10, 32),
        ("pacs", 7, 64),
    ):
        y = np.arange(8 * classes) % classes
        np.savez(
            tmp_path / f"{name}.npz",
            x=np.full((len(y), pixels, pixels, 3), y[:, None, None, None], np.uint8),
            y=y,
            split=np.arange(len(y)) // classes % 2,
            domain=np.arange(len(y)) // (2 * classes),
        )
    out = tmp_path / "domains.npz"
    files = {"photographs": "cifar", "handwriting": "mnist", "sketches": "pacs"}
    named = [f"--{option}={tmp_path / name}.npz" for option, name in files.items()]
    monkeypatch.setattr(
        "sys.argv", ["streams", "shift", *named, f"--out={out}", "--size=16"]
    )
    streams.main()

    data = load_npz(out)
    assert data.domain_names == ("photographs", "handwriting", "sketches")
    with np.load(out) as written:
        x, y, domain = written["x"], written["y"], written["domain"]
        assert x.shape == (8 * 20 + 2 * 10 + 2 * 7, 16, 16, 3)
        classes = [set(y[domain == k]) for k in range(3)]
        assert classes == [set(range(20)), set(range(20, 30)), set(range(30, 37))]
        assert (x[domain == 0, 0, 0, 0] == y[domain == 0]).all()
        assert (x[domain == 2, 0, 0, 0] == y[domain == 2] - 30).all()
        assert (written["split"] == 0).sum() == (written["split"] == 1).sum()


def test_a_few_photographs_are_the_first_of_their_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = np.tile(np.arange(12), 700)
    x = np.zeros((len(y), 2, 2, 3), np.uint8)
    x[..., 0] = y[:, None, None]
    x[..., 1] = (np.arange(len(y)) // 12 % 256)[:, None, None]
    split = (np.arange(len(y)) >= 6000).astype(int)
    np.savez(tmp_path / "cifar.npz", x=x, y=y, split=split)
    out = tmp_path / "few.npz"
    files = [f"--photographs={tmp_path / 'cifar.npz'}", f"--out={out}", "--size=1"]
    monkeypatch.setattr("sys.argv", ["streams", "photographs", *files])
    streams.main()
    with np.load(out) as written:
        assert written["x"].shape == (3500, 1, 1, 3)
        assert (written["x"][:, 0, 0, 0] == written["y"]).all()
        training = written["split"] == 0
        assert np.bincount(written["y"][training]).tolist() == [250] * 10
        assert written["x"][training][:, 0, 0, 1].max() == 249
        assert np.bincount(written["y"][~training]).tolist() == [100] * 10
