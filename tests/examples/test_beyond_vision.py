"""The scripts on text and on time series learn more than their networks knew."""

import re
from pathlib import Path

import pytest
import torch

from tests.examples.scripts import load, run


def rows(printed: str) -> dict[str, list[float]]:
    """Percentages of the printed table by the name of the row."""
    table = [line for line in printed.splitlines() if line.endswith("%")]
    return {
        line[:16].strip(): [float(each) for each in re.findall(r"([\d.]+) %", line)]
        for line in table
    }


@pytest.mark.parametrize(
    ("name", "names", "arguments"),
    [
        (
            "text_domains",
            ("NumPy", "SciPy", "PyTorch"),
            ("--texts", "200", "--epochs", "6"),
        ),
        (
            "time_series",
            ("slow", "medium", "fast"),
            ("--windows", "512", "--epochs", "2"),
        ),
    ],
)
def test_three_experiences_are_learnt_beyond_a_random_encoder(
    name: str,
    names: tuple[str, ...],
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    script = run(name, *arguments)
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == list(names)
    table = rows(printed)
    assert list(table) == ["random encoder", *(f"after {each}" for each in names)]
    random, *_, last = table.values()
    assert len(random) == len(last) == 3
    assert sum(last) > sum(random) + 3
    assert script.strategy.past_model.exists
    assert list(tmp_path.iterdir()) == []


def test_texts_are_token_ids_that_the_encoder_takes() -> None:
    script = load("text_domains")
    ids = script.texts("numpy.fft", 50)
    assert ids.dtype == torch.int64
    assert 20 < len(ids) <= 50
    assert ids.shape[1] == script.LENGTH
    assert 0 <= ids.min() <= ids.max() < script.VOCABULARY
    assert torch.equal(ids, script.texts("numpy.fft", 50))
    encoder = script.Encoder()
    assert encoder(ids).shape == (len(ids), 64)
    assert not torch.equal(encoder(ids), encoder(ids))  # dropout makes the views
    encoder.eval()
    assert torch.equal(encoder(ids), encoder(ids))


def test_windows_differ_by_waveform_and_views_by_chance() -> None:
    script = load("time_series")
    x, y = script.windows(4.0, 40)
    assert x.shape == (40, script.CHANNELS, script.LENGTH)
    assert y.bincount().tolist() == [10] * 4
    kept = x[0].clone()
    one, other = script.view(x[0]), script.view(x[0])
    assert torch.equal(x[0], kept)
    assert not torch.equal(one, other)
    assert (one == 0).sum() >= script.CHANNELS
    assert script.make_encoder()(x).shape == (40, 64)
