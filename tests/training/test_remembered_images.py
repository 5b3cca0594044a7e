"""A memory goes on with the images that it was saved with, or not at all."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks.utils import AvalancheDataset
from PIL import Image

from avalanche_pnr import DERPlugin
from avalanche_pnr.benchmarks.streams.stream_samples import StreamSamples
from avalanche_pnr.runs.files import load_state
from tests import commands
from tests.training.continued import differences
from tests.training.remembering import BLUE, MEMORIES, RED, benchmark, made, remembered

RED_ONES = benchmark(RED).train_stream
BLUE_ONES = benchmark(BLUE).train_stream


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """States that another process has saved after three experiences in red."""
    folder = tmp_path_factory.mktemp("states")
    done = commands.run("tests.training.remembering", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("memory", MEMORIES)
def test_other_images_are_refused(memory: str, saved: Path) -> None:
    path, strategy = saved / f"{memory}.pt", made(memory)
    answer = (
        rf"{memory}\.pt cannot be used: \w+Plugin holds image \d+ of experience "
        r"[012], and this stream has another image there: give the stream that"
    )
    with pytest.raises(ValueError, match=answer):
        strategy.load_state_dict(load_state(path), BLUE_ONES)


@pytest.mark.parametrize("memory", MEMORIES)
def test_a_shorter_stream_is_refused(memory: str, saved: Path) -> None:
    state = load_state(saved / f"{memory}.pt")
    answer = r"of experience 2, and this stream has 2 experiences: give"
    with pytest.raises(ValueError, match=answer):
        made(memory).load_state_dict(state, RED_ONES[:2])


@pytest.mark.parametrize("memory", MEMORIES)
def test_no_stream_is_refused_at_once(memory: str, saved: Path) -> None:
    state = load_state(saved / f"{memory}.pt")
    answer = (
        r"Plugin holds \d+ images, .* load_state_dict\(state, benchmark\.train_stream\)"
    )
    with pytest.raises(ValueError, match=answer):
        made(memory).load_state_dict(state)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_same_images_are_gone_on_with(memory: str, saved: Path) -> None:
    """Beside a process that has never stopped."""
    whole, continued = made(memory), made(memory)
    for experience in RED_ONES[:3]:
        whole.train(experience)
    continued.load_state_dict(load_state(saved / f"{memory}.pt"), RED_ONES)
    pairs = zip(remembered(whole).eval(), remembered(continued).eval(), strict=True)
    for mine, theirs in pairs:
        assert torch.equal(mine[0], theirs[0])
        assert mine[0][RED].min() > 0 == mine[0][BLUE].max()
    for strategy in (whole, continued):
        torch.manual_seed(3)
        strategy.train(RED_ONES[3])
    assert differences(whole.state_dict(), continued.state_dict()) == []


@pytest.mark.parametrize("memory", MEMORIES)
def test_a_state_without_images_needs_no_stream(memory: str) -> None:
    fresh = made(memory)
    strategy = made(memory)
    strategy.load_state_dict(fresh.state_dict())
    strategy.train(RED_ONES[0])
    fresh = made(memory)
    fresh.load_state_dict(made(memory).state_dict())
    fresh.train(RED_ONES[0])
    assert differences(fresh.state_dict(), strategy.state_dict()) == []


def test_two_benchmarks_in_one_process_do_not_collide() -> None:
    """DER's targets stay with the images that they are projections of."""
    strategy = made("der")
    (der,) = (each for each in strategy.plugins if isinstance(each, DERPlugin))
    colours: list[dict[bytes, torch.Tensor]] = []
    for experience in (RED_ONES[0], BLUE_ONES[0], RED_ONES[1], BLUE_ONES[1]):
        strategy.train(experience)
        images = [sample[0] for sample in der.memory.dataset.eval()]
        assert len(images) == len(der.projections) == 12
        now = {
            image.numpy().tobytes(): projections
            for image, projections in zip(images, der.projections, strict=True)
        }
        for image in now.keys() & (colours[-1].keys() if colours else set()):
            assert torch.equal(now[image], colours[-1][image])
        colours.append(now)
    both = [sample[0] for sample in der.memory.dataset.eval()]
    assert {int(image.mean((1, 2)).argmax()) for image in both} == {RED, BLUE}


def test_images_of_two_benchmarks_are_not_saved_as_if_of_one() -> None:
    strategy = made("replay")
    strategy.train(RED_ONES[0])
    strategy.train(BLUE_ONES[1])
    with pytest.raises(TypeError, match="not those of the stream that was first"):
        strategy.state_dict()


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(lambda k: torch.full((3, 4, 4), float(k)), id="tensors"),
        pytest.param(lambda k: np.full((4, 4, 3), k, np.uint8), id="arrays"),
        pytest.param(lambda k: Image.new("L", (4, 4), k), id="pictures"),
    ],
)
def test_digests_tell_images_apart(images: Any) -> None:
    samples = [(images(index // 2), 0) for index in range(4)]
    first, second, third, fourth = digests(samples)
    assert torch.equal(first, second)
    assert torch.equal(third, fourth)
    assert not torch.equal(first, third)


def test_images_that_are_none_are_named() -> None:
    with pytest.raises(TypeError, match="gives a str where a PIL image, a tensor or"):
        digests([("no image", 0)])


def digests(samples: list[Any]) -> torch.Tensor:
    """Those of all samples of a stream of one experience."""
    stream = [SimpleNamespace(dataset=AvalancheDataset([samples]))]
    rows = torch.tensor([[0, index] for index in range(len(samples))])
    return StreamSamples(stream).digests(rows)
