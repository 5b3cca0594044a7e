"""A training beside each plugin goes on where it stopped, or says that it cannot."""

from pathlib import Path

import pytest
import torch
from avalanche.benchmarks import CLScenario

from avalanche_pnr import SelfSupervised
from tests.conftest import tiny_moco
from tests.training.compatibility.conftest import pnr, seed
from tests.training.compatibility.plugin_effects import EFFECTS
from tests.training.continued import continued, differences, whole

UNSAVED = ("agem", "gdumb", "mir")


def made(other: str) -> SelfSupervised:
    seed(0)
    model = tiny_moco()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return SelfSupervised(
        model=model,
        optimizer=optimizer,
        train_mb_size=8,
        train_epochs=EFFECTS[other].options.get("train_epochs", 1),
        plugins=[EFFECTS[other].make(optimizer), pnr()],
        evaluator=None,
    )


@pytest.mark.parametrize("other", [n for n in EFFECTS if n not in UNSAVED])
def test_it_ends_as_without_a_break(
    other: str, benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    def make() -> SelfSupervised:
        return made(other)

    stream = benchmark_of_digits.train_stream[:4]
    epochs = make().train_epochs
    in_the_third = 2 * 4 * epochs + 2  # a pause after each batch and each epoch
    broken = continued(make, stream, tmp_path / "state.pt", [in_the_third])
    unbroken = whole(make, stream)
    assert differences(unbroken.state_dict(), broken.state_dict()) == []


@pytest.mark.parametrize("other", UNSAVED)
def test_what_cannot_be_saved_says_so(other: str) -> None:
    strategy = made(other)
    with pytest.raises(TypeError, match=r"Plugin (reads|resets) .* use ReplayPlugin$"):
        strategy.state_dict()
