"""Plugins, each with the effect that it must have beside PNR or CaSSLe."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    GDumbPlugin,
    GEMPlugin,
    LRSchedulerPlugin,
    MASPlugin,
    MIRPlugin,
    ReplayPlugin,
    RWalkPlugin,
    SynapticIntelligencePlugin,
)
from avalanche.training.storage_policy import (
    ClassBalancedBuffer,
    ReservoirSamplingBuffer,
)
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import StepLR

from avalanche_pnr import (
    CroMoMixupPlugin,
    DERPlugin,
    LessForgetPlugin,
    OsirisPlugin,
    PFRPlugin,
    SelfSupervised,
    WarmupCosinePlugin,
)
from tests.training.compatibility.conftest import Make, Run

LARGEST_NORM = 0.1


class Clip(SupervisedPlugin):
    """Clips the norm of the gradient, as a user would."""

    def before_update(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        clip_grad_norm_(strategy.model.parameters(), LARGEST_NORM)


@dataclass(frozen=True)
class Effect:
    """A plugin, what it does, and options of the strategy that show it."""

    make: Make
    effect: Callable[[Run], None]
    options: dict[str, Any] = field(default_factory=dict)


def replays(run: Run) -> None:
    assert all(len(batch.labels) == 8 for batch in run.of(0))
    for batch in run.later:
        assert len(batch.labels) == 16
        assert len(batch.seen_again) == 8


def replays_by_class(run: Run) -> None:
    replays(run)
    again = {label for batch in run.of(4) for label in batch.seen_again}
    assert again == set(range(10)) - run.of(4)[0].new


def penalises(run: Run) -> None:
    assert all(abs(batch.rest) < 1e-5 for batch in run.of(0))
    for experience in range(1, 5):
        assert run.of(experience)[-1].rest > 1e-4


def rewards_predictable_features(run: Run) -> None:
    """Minus a mean cosine, within its bounds."""
    assert all(abs(batch.rest) < 1e-5 for batch in run.of(0))
    assert all(1e-4 < abs(batch.rest) < 1 for batch in run.later)
    for experience in range(1, 5):
        batches = run.of(experience)
        assert batches[-1].rest < batches[0].rest


def adds_the_loss_of_remembered_images(run: Run) -> None:
    """From the third experience on: classes of the last batch are left out."""
    assert all(abs(batch.rest) < 1e-5 for batch in [*run.of(0), *run.of(1)])
    assert all(batch.rest > 1 for k in (2, 3, 4) for batch in run.of(k))


def projects_gradients(run: Run) -> None:
    assert all(torch.equal(batch.raw, batch.gradient) for batch in run.of(0))
    assert any(not torch.equal(batch.raw, batch.gradient) for batch in run.later)


def clips_gradients(run: Run) -> None:
    assert all(batch.raw.norm() > LARGEST_NORM for batch in run.batches)
    assert all(batch.gradient.norm() < LARGEST_NORM * 1.001 for batch in run.batches)


def starts_anew_on_its_memory(run: Run) -> None:
    for experience in range(5):
        batches = run.of(experience)
        assert torch.equal(batches[0].start, run.of(0)[0].start)
        seen = {label for batch in batches for label in batch.labels}
        assert len(seen) == 2 * experience + 2


def halves_the_rate(run: Run) -> None:
    for experience in range(5):
        rates = [batch.rate for batch in run.of(experience)]
        assert rates == [0.05] * 3 + [0.025] * 3


def warms_up(run: Run) -> None:
    for experience in range(5):
        rates = [batch.rate for batch in run.of(experience)[::3]]
        assert rates[:4] == pytest.approx([0.003, 0.0265, 0.05, 0.05])
        assert rates[4] < 0.05


EFFECTS: dict[str, Effect] = {
    "replay": Effect(lambda _: ReplayPlugin(mem_size=40), replays),
    "reservoir": Effect(
        lambda _: ReplayPlugin(40, storage_policy=ReservoirSamplingBuffer(40)), replays
    ),
    "class-balanced": Effect(
        lambda _: ReplayPlugin(48, storage_policy=ClassBalancedBuffer(48)),
        replays_by_class,
    ),
    "ewc": Effect(lambda _: EWCPlugin(ewc_lambda=0.1), penalises),
    "si": Effect(lambda _: SynapticIntelligencePlugin(si_lambda=1000), penalises),
    "mas": Effect(lambda _: MASPlugin(lambda_reg=10), penalises),
    "rwalk": Effect(lambda _: RWalkPlugin(ewc_lambda=10, delta_t=1), penalises),
    "pfr": Effect(
        lambda _: PFRPlugin(lambda_pfr=1, hidden_dim=16), rewards_predictable_features
    ),
    "less-forget": Effect(lambda _: LessForgetPlugin(), penalises),
    "der": Effect(lambda _: DERPlugin(mem_size=20), penalises),
    "cromo-mixup": Effect(lambda _: CroMoMixupPlugin(mem_size=20), penalises),
    "osiris": Effect(lambda _: OsirisPlugin(mem_size=20), penalises),
    "gem": Effect(lambda _: GEMPlugin(8, memory_strength=0.5), projects_gradients),
    "agem": Effect(lambda _: AGEMPlugin(8, sample_size=8), projects_gradients),
    "gdumb": Effect(lambda _: GDumbPlugin(mem_size=40), starts_anew_on_its_memory),
    "mir": Effect(
        lambda _: MIRPlugin(batch_size_mem=8, mem_size=40, subsample=16),
        adds_the_loss_of_remembered_images,
    ),
    "lr schedule": Effect(
        lambda optimizer: LRSchedulerPlugin(StepLR(optimizer, 1, gamma=0.5)),
        halves_the_rate,
        {"train_epochs": 2},
    ),
    "warm-up": Effect(
        lambda _: WarmupCosinePlugin(warmup_epochs=3), warms_up, {"train_epochs": 5}
    ),
    "clipping": Effect(lambda _: Clip(), clips_gradients),
}
