import copy
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from lightly.loss import NTXentLoss
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from avalanche_pnr import CaSSLePlugin, CroMoMixupPlugin, PNRPlugin, SelfSupervised
from avalanche_pnr.losses import barlow_twins_loss, vicreg_loss
from tests.conftest import METHODS, Strategy
from tests.plugins.conftest import Losses, Toy, train
from tests.plugins.marked import Recorder, double_precision, marked_stream, shares

TAU, TAU_D = 0.3, 0.15


def both_ways(a: Tensor, b: Tensor) -> Tensor:
    """CaSSLe's InfoNCE of one view."""
    logits = normalize(a, dim=1) @ normalize(b, dim=1).T / TAU_D
    rows = torch.arange(len(a))
    return (cross_entropy(logits, rows) + cross_entropy(logits.T, rows)) / 2


PAIR_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "moco": both_ways,
    "mocov3": lambda a, b: 4 * TAU_D * both_ways(a, b),
    "simclr": lambda a, b: NTXentLoss(temperature=TAU)(a, b),
    "barlow": lambda a, b: barlow_twins_loss(a, b, 0.1, 5e-3),
    "byol": lambda a, b: (2 - 2 * cosine_similarity(a, b)).mean(),
    "vicreg": lambda a, b: vicreg_loss(a, b, 25.0, 25.0, 1.0),
}


def made(name: str) -> Any:
    contrastive = {"temperature": TAU, "distillation_temperature": TAU_D}
    options = contrastive if name in ("moco", "mocov3", "simclr") else {}
    return METHODS[name](**options).double()


class Watched(CroMoMixupPlugin):
    """Remembers what was drawn last."""

    def draw(self, strategy: SelfSupervised) -> list[Tensor] | None:
        self.drawn = super().draw(strategy)
        return self.drawn


class Share:
    """In place of the distribution: notes its parameters, gives known numbers."""

    drawn: ClassVar[list[float]] = []
    alphas: ClassVar[set[tuple[float, ...]]] = set()

    def __init__(self, *alphas: float) -> None:
        self.alphas.add(alphas)

    def sample(self) -> Tensor:
        self.drawn.append(0.1 + 0.2 * (len(self.drawn) % 4))
        return torch.tensor(self.drawn[-1], dtype=torch.float64)


class Terms(Recorder):
    """The equation of the authors' code, from copies of the networks."""

    def __init__(self, name: str, plugin: Watched) -> None:
        super().__init__()
        self.pair_loss, self.plugin = PAIR_LOSSES[name], plugin
        self.sizes: list[int] = []

    def expected(self, strategy: SelfSupervised) -> Tensor:
        assert self.plugin.drawn is not None
        views, remembered = strategy.mb_x, self.plugin.drawn[0]
        images, share = len(remembered), Share.drawn[-1]
        self.sizes.append(images)
        numbers = shares(remembered).argmax(dim=1)
        assert (numbers < 16 * len(self.ended)).all()
        ssl = copy.deepcopy(self.method).loss(copy.deepcopy(self.method)(views))
        past = nn.Sequential(self.ended[-1].backbone, self.ended[-1].projector)
        now = nn.Sequential(self.method.backbone, self.method.projector)
        terms = []
        for view in range(2):
            x, x_m = views[:, view], remembered[:, view]
            z_mix = now(share * x[:images] + (1 - share) * x_m)
            z, f = now(x)[:images], past(x_m)
            terms.append(
                share * self.pair_loss(z_mix, z)
                + (1 - share) * self.pair_loss(z_mix, f)
            )
        return ssl + (terms[0] + terms[1]) / 2


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_the_equation(
    name: str, accumulate: int, make_strategy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avalanche_pnr.plugins.cromo_mixup.Beta", Share)
    Share.drawn.clear()
    Share.alphas.clear()
    with double_precision():
        plugin = Watched(alpha=0.7, batch_size_mem=6)
        terms = Terms(name, plugin)
        strategy = make_strategy(
            made(name),
            plugins=[plugin, terms],
            train_mb_size=8,
            accumulate=accumulate,
            lr=1e-3,
        )
        for experience in marked_stream(4).train_stream:
            strategy.train(experience)
    assert terms.compared == 6
    assert set(terms.sizes) == {6}
    assert Share.alphas == {(0.7, 0.7)}


@pytest.mark.parametrize("name", METHODS)
def test_gradients_reach_the_mixture_and_the_current_projection(name: str) -> None:
    method = made(name)
    first, second = torch.randn(2, 6, 8, dtype=torch.float64)
    leaves = [each.clone().requires_grad_() for each in (first, second)]
    ours = method.pair_loss(*leaves)
    theirs = PAIR_LOSSES[name](*leaves)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=0)
    for one, other in zip(
        torch.autograd.grad(ours, leaves),
        torch.autograd.grad(theirs, leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
        assert one.any()


def test_more_remembered_images_than_the_batch_has_are_left_out(
    make_strategy: Strategy,
) -> None:
    plugin = Watched(mem_size=16, batch_size_mem=12)
    strategy = make_strategy(plugins=[plugin, losses := Losses()], train_mb_size=8)
    for experience in marked_stream(2).train_stream:
        strategy.train(experience)
    assert plugin.drawn is not None
    assert len(plugin.drawn[0]) == 12
    assert [len(each) for each in losses.values] == [2, 2]


@pytest.mark.parametrize("other", [CaSSLePlugin, PNRPlugin])
def test_it_adds_to_the_term_of_another_and_shares_its_past(
    other: type[PNRPlugin], benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    def last(*plugins: Any) -> Losses:
        torch.manual_seed(0)
        strategy = make_strategy(Toy(), plugins=[*plugins, losses := Losses()])
        train(strategy, benchmark_of_digits, 2)
        return losses

    alone = last(other())
    together = last(CroMoMixupPlugin(), other())
    given_in_turn = last(other(), CroMoMixupPlugin())
    assert together.values == given_in_turn.values
    assert together.values[0] == alone.values[0]
    assert together.values[1][0] > alone.values[1][0]
    assert together.past_calls == 2 * alone.past_calls  # the batch, and x_M


def test_before_there_is_a_past_model_nothing_is_added(
    make_strategy: Strategy,
) -> None:
    stream = split_online_stream(
        marked_stream(2).train_stream, 8, access_task_boundaries=True
    )
    plugins = [CroMoMixupPlugin(mem_size=8), losses := Losses()]
    model = Toy()
    strategy = make_strategy(model, plugins=plugins, train_mb_size=8, lr=0.0)
    plain = make_strategy(model, plugins=[bare := Losses()], train_mb_size=8, lr=0.0)
    for experience in stream:
        for each in (strategy, plain):
            torch.manual_seed(1)
            each.train(experience)
    assert losses.values[:2] == bare.values[:2]
    assert losses.values[2] > bare.values[2]


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_no_distribution_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be above 0 and finite, got"):
        CroMoMixupPlugin(alpha=alpha)


def test_several_processes_are_refused() -> None:
    assert not CroMoMixupPlugin().supports_distributed
