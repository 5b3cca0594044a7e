"""PNR and CaSSLe beside each other plugin, and several at once."""

from itertools import permutations
from typing import Any

import pytest
import torch

from avalanche_pnr import DERPlugin, LUMPPlugin
from avalanche_pnr.methods import SelfSupervisedMethod
from tests.conftest import METHODS
from tests.training.compatibility.conftest import (
    Make,
    Run,
    cassle,
    pnr,
    run,
    with_either,
)
from tests.training.compatibility.plugin_effects import EFFECTS

TOGETHER = [
    ("replay", "ewc"),
    ("mir", "clipping"),
    ("reservoir", "si", "agem"),
    ("class-balanced", "gem", "ewc"),
    ("agem", "mas"),
    ("less-forget", "replay", "ewc"),
    ("pfr", "reservoir"),
]


def check_terms(run: Run) -> None:
    """The method's and the regulariser's terms are those of the present batch."""
    assert all(len(batch.terms) == 2 for batch in run.later)
    for batch in run.batches:
        assert batch.training
        assert batch.terms == pytest.approx(batch.expected, rel=1e-6)


@pytest.mark.parametrize("name", EFFECTS)
@with_either
def test_a_companion_has_its_effect_and_leaves_the_terms_alone(
    name: str, regularizer: Make, stream: Any
) -> None:
    other = EFFECTS[name]
    together = run(stream, [regularizer, other.make], **other.options)
    other.effect(together)
    check_terms(together)
    assert torch.isfinite(together.weights).all()


def test_there_is_no_effect_without_them(stream: Any) -> None:
    for options in {}, {"train_epochs": 2}, {"train_epochs": 5}:
        alone = run(stream, [pnr], **options)
        check_terms(alone)
        for other in EFFECTS.values():
            if other.options == options:
                with pytest.raises(AssertionError):
                    other.effect(alone)


@pytest.mark.parametrize(
    "name", ["replay", "ewc", "si", "mas", "rwalk", "mir", "less-forget", "der"]
)
def test_it_has_its_effect_where_a_step_has_several_batches(
    name: str, benchmark_of_digits: Any
) -> None:
    options = {"accumulate": 3, "train_epochs": 2}
    together = run(benchmark_of_digits, [pnr, EFFECTS[name].make], **options)
    EFFECTS[name].effect(together)
    check_terms(together)


@pytest.mark.parametrize("names", TOGETHER, ids=" ".join)
@with_either
def test_several_have_their_effects_in_whatever_order_they_are_given(
    names: tuple[str, ...], regularizer: Make, stream: Any
) -> None:
    plugins = [regularizer, *(EFFECTS[name].make for name in names)]
    together, reversed_ = run(stream, plugins), run(stream, plugins[::-1])
    for name in names:
        EFFECTS[name].effect(together)
    check_terms(together)
    assert torch.equal(together.weights, reversed_.weights)


def test_every_order_of_three_gives_the_same(benchmark_of_digits: Any) -> None:
    three = [pnr, EFFECTS["mir"].make, EFFECTS["ewc"].make]
    weights = [run(benchmark_of_digits, each).weights for each in permutations(three)]
    assert all(torch.equal(weights[0], each) for each in weights[1:])


def test_memories_draw_in_an_order_of_their_own(benchmark_of_digits: Any) -> None:
    memories: list[Make] = [lambda _: DERPlugin(mem_size=20), lambda _: LUMPPlugin()]
    weights = [
        run(benchmark_of_digits, each).weights
        for each in permutations([pnr, *memories])
    ]
    assert all(torch.equal(weights[0], each) for each in weights[1:])


def test_pnr_and_cassle_together(stream: Any) -> None:
    both = run(stream, [pnr, cassle])
    assert all(len(batch.terms) == 3 for batch in both.later)
    assert all(abs(batch.rest) < 1e-5 for batch in both.batches)
    assert torch.equal(both.weights, run(stream, [cassle, pnr]).weights)


@pytest.mark.parametrize("other", ["replay", "mas", "agem"])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "moco"])
def test_other_methods_compose_too(
    method: str, other: str, benchmark_of_digits: Any
) -> None:
    if (method, other) == ("mocov3", "mas"):
        pytest.skip("refused: see test_incompatible.py")
    make: type[SelfSupervisedMethod] = METHODS[method]  # type: ignore[assignment]
    plugins = [pnr, EFFECTS[other].make]
    together = run(benchmark_of_digits, plugins, method=make, lr=0.01)
    EFFECTS[other].effect(together)
    check_terms(together)
