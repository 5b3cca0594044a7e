"""Inputs that are no images: token ids, windows of time series, rows of a table."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from avalanche.training.plugins import (
    AGEMPlugin,
    GEMPlugin,
    MASPlugin,
    MIRPlugin,
    ReplayPlugin,
    SynapticIntelligencePlugin,
)
from avalanche.training.storage_policy import ReservoirSamplingBuffer
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from avalanche_pnr import (
    BYOL,
    BarlowTwins,
    CaSSLePlugin,
    ContinualLoss,
    CroMoMixupPlugin,
    DERPlugin,
    EWCPlugin,
    LessForgetPlugin,
    LinearProbe,
    LUMPPlugin,
    MoCoV2Plus,
    MoCoV3,
    OsirisPlugin,
    PFRPlugin,
    PNRPlugin,
    ProbePlugin,
    RepresentationPlugin,
    SelfSupervised,
    SimCLR,
    TwoViews,
    VICReg,
    with_multiview,
)
from avalanche_pnr.evaluation import extract_features, extract_unlabelled
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins import PastModelPlugin
from tests.training.continued import continued, differences, train, whole

TOKENS, LENGTH, N = 20, 6, 48


class Transformer(nn.Module):
    """Token ids (N, L) to features (N, 8), with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(TOKENS, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        assert ids.dtype == torch.int64
        features: Tensor = self.layer(self.tokens(ids)).mean(dim=1)
        return features


def convolutions() -> nn.Module:
    """Windows (N, 3, L) to features (N, 8)."""
    pool = nn.AdaptiveAvgPool1d(1)
    return nn.Sequential(nn.Conv1d(3, 8, 3), nn.BatchNorm1d(8), pool, nn.Flatten())


def layers() -> nn.Module:
    """Rows (N, 5) to features (N, 8)."""
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU())


def noisy(x: Tensor) -> Tensor:
    """Noise, and masked values."""
    return (x + 0.1 * torch.randn_like(x)) * (torch.rand_like(x) > 0.2)


Kind = tuple[Callable[[], nn.Module], Callable[[int], Tensor], Callable[[Any], Tensor]]

KINDS: dict[str, Kind] = {
    "tokens": (
        Transformer,
        lambda n: torch.randint(TOKENS, (n, LENGTH)),
        lambda ids: ids,  # both views alike, but for the dropout of the network
    ),
    "windows": (convolutions, lambda n: torch.randn(n, 3, 10), noisy),
    "rows": (layers, lambda n: torch.randn(n, 5), noisy),
}
SIZES: dict[str, Any] = {"hidden_dim": 16, "projection_dim": 8}
METHODS: dict[str, Callable[..., SelfSupervisedMethod]] = {
    "moco": lambda *a, **k: MoCoV2Plus(*a, **SIZES, queue_length=48, **k),
    "mocov3": lambda *a, **k: MoCoV3(*a, **SIZES, **k),
    "simclr": lambda *a, **k: SimCLR(*a, **SIZES, **k),
    "barlow": lambda *a, **k: BarlowTwins(*a, **SIZES, **k),
    "byol": lambda *a, **k: BYOL(*a, **SIZES, predictor_hidden_dim=12, **k),
    "vicreg": lambda *a, **k: VICReg(*a, **SIZES, **k),
}

methods = pytest.mark.parametrize("method", METHODS)
kinds = pytest.mark.parametrize("kind", KINDS)


def benchmark(kind: str) -> CLScenario:
    """Four experiences of 48 inputs of three classes, and as many to test on."""
    torch.manual_seed(3)
    draw, view = KINDS[kind][1:]

    def experiences(size: int) -> list[AvalancheDataset[Any]]:
        y = torch.arange(size) % 3
        targets = [DataAttribute(y.tolist(), "targets")]
        sets = [TensorDataset(draw(size), y) for _ in range(4)]
        return [AvalancheDataset([each], data_attributes=targets) for each in sets]

    made = benchmark_from_datasets(train=experiences(N), test=experiences(12))
    return with_multiview(made, TwoViews(view))


def made(
    kind: str, method: str = "simclr", plugins: Any = (), **options: Any
) -> SelfSupervised:
    torch.manual_seed(0)
    make_backbone, draw, _ = KINDS[kind]
    model = METHODS[method](make_backbone(), example_input=draw(2))
    return SelfSupervised(
        **{
            "model": model,
            "optimizer": torch.optim.SGD(model.parameters(), lr=0.002),
            "train_mb_size": 16,
            "plugins": list(plugins),
            "evaluator": None,
            **options,
        }
    )


@kinds
@methods
def test_every_method_learns_with_pnr_and_is_judged(method: str, kind: str) -> None:
    stream = benchmark(kind)
    probe = ProbePlugin(stream.train_stream, [LinearProbe(epochs=2)])
    watcher = RepresentationPlugin(stream.train_stream, images=8)
    plugins = [PNRPlugin(predictor_hidden_dim=16), ReplayPlugin(20), probe, watcher]
    strategy = made(kind, method, plugins)
    before = [each.clone() for each in strategy.model.parameters()]
    for number, experience in enumerate(stream.train_stream[:3]):
        strategy.train(experience)
        strategy.eval(stream.test_stream)
        regularised = "PNRPlugin" in strategy.loss_terms
        assert regularised == (number > 0) or not strategy.loss_terms
    assert strategy.past_model.exists
    moved = [
        not torch.equal(one, other)
        for one, other in zip(before, strategy.model.parameters(), strict=False)
    ]
    assert any(moved)
    values = watcher.values
    assert {f"CKA_Exp/Exp{k:03d}" for k in range(3)} < values.keys()
    assert all(torch.tensor(value).isfinite() for value in values.values())
    assert 0 <= values["CKA_Exp/Exp000"] <= 1.000001


PLUGINS: dict[str, Callable[[], Any]] = {
    "pnr of a moving average": lambda: PNRPlugin(past="ema", ema_decay=0.9),
    "cassle": CaSSLePlugin,
    "pfr": PFRPlugin,
    "less forget": LessForgetPlugin,
    "ewc": lambda: EWCPlugin(ewc_lambda=10),
    "der": lambda: DERPlugin(mem_size=20),
    "osiris": lambda: OsirisPlugin(mem_size=20),
    "reservoir": lambda: ReplayPlugin(20, storage_policy=ReservoirSamplingBuffer(20)),
    "mas": lambda: MASPlugin(lambda_reg=10),
    "si": lambda: SynapticIntelligencePlugin(si_lambda=10),
    "gem": lambda: GEMPlugin(patterns_per_experience=8, memory_strength=0.5),
}


@cache
def weights_without_plugins(kind: str) -> dict[str, Tensor]:
    """The projector's after three experiences."""
    strategy = whole(lambda: made(kind), benchmark(kind).train_stream[:3])
    return strategy.model.projector.state_dict()


@kinds
@pytest.mark.parametrize("name", PLUGINS)
def test_plugins_are_at_work_and_continued_to_the_bit(
    name: str, kind: str, tmp_path: Path
) -> None:
    def make() -> SelfSupervised:
        return made(kind, plugins=[PLUGINS[name]()])

    stream = benchmark(kind).train_stream[:3]
    unbroken = whole(make, stream)
    weights = unbroken.model.projector.state_dict()
    changed = differences(weights, weights_without_plugins(kind)) != []
    assert changed or name == "gem"  # which changes only gradients that conflict
    # An experience has 3 iterations and 4 pauses; one in the second is cut.
    broken = continued(make, stream, tmp_path / "state.pt", [4 + 2])
    assert differences(unbroken.state_dict(), broken.state_dict()) == []


@kinds
@pytest.mark.parametrize(
    "make_plugin",
    [
        lambda: AGEMPlugin(patterns_per_experience=8, sample_size=8),
        lambda: MIRPlugin(batch_size_mem=8, mem_size=20),
    ],
    ids=["agem", "mir"],
)
def test_memories_of_avalanche_hold_them(
    make_plugin: Callable[[], Any], kind: str
) -> None:
    strategy = made(kind, plugins=[make_plugin()])
    train(strategy, benchmark(kind).train_stream[:3])
    assert strategy.loss.isfinite()


@kinds
@methods
def test_stacked_views_are_those_of_one_by_one_in_eval_mode(
    method: str, kind: str
) -> None:
    model = made(kind, method).model.eval()
    views = torch.stack([KINDS[kind][1](4), KINDS[kind][1](4)], dim=1)
    one_by_one = model(views)
    model.stack_views = True
    torch.testing.assert_close(model(views), one_by_one)
    assert model(views[:, 0]).shape == (4, 8)


@kinds
@pytest.mark.parametrize("plugin", [PNRPlugin, PFRPlugin])
def test_a_loop_of_ones_own_takes_them(
    plugin: type[PastModelPlugin], kind: str
) -> None:
    agent = type("Agent", (), {"model": made(kind).model})
    loss = ContinualLoss(plugin())
    views = torch.stack([KINDS[kind][1](8)] * 2, dim=1)
    for _ in range(3):
        loss.pre_adapt(agent)
        loss(views).backward()
        loss.after_step(0, 1)
        loss.post_adapt(agent)
    assert loss.loss_terms[plugin.__name__] != 0


@kinds
def test_features_are_extracted_of_inputs_and_of_their_views(kind: str) -> None:
    dataset = benchmark(kind).train_stream[0].dataset
    model = made(kind).model
    dims = model.input_dims
    plain, labels = extract_features(model, dataset.eval(), batch_size=7)
    assert plain.shape == (N, 8)
    assert labels.tolist() == [k % 3 for k in range(N)]
    unlabelled = extract_unlabelled(model, dataset.eval(), input_dims=dims)
    torch.testing.assert_close(unlabelled, plain)
    views = extract_unlabelled(model, dataset.train(), input_dims=dims)
    assert views.shape == (N, 2, 8)
    if kind == "tokens":  # the views are the text, and there is no dropout
        torch.testing.assert_close(views[:, 1], plain)


@pytest.mark.parametrize("plugin", [LUMPPlugin, CroMoMixupPlugin])
def test_mixtures_are_refused_where_there_are_none(plugin: type[LUMPPlugin]) -> None:
    train(made("rows", plugins=[plugin()]), benchmark("rows").train_stream[:2])
    strategy = made("tokens", plugins=[plugin()])
    with pytest.raises(ValueError, match=r"torch.int64, of which .* with ReplayPlugin"):
        strategy.train(benchmark("tokens").train_stream[0])


def test_backbones_are_told_what_they_take() -> None:
    with pytest.raises(ValueError, match=r"Transformer .* give it an example_input"):
        SimCLR(Transformer())
    with pytest.raises(ValueError, match=r"\(2, 5\) and torch.float32 .* of your data"):
        SimCLR(convolutions(), example_input=torch.rand(2, 5))
    with pytest.raises(ValueError, match=r"shape \(5,\) .* is no batch"):
        SimCLR(layers(), example_input=torch.rand(5))
    with pytest.raises(ValueError, match=r"returns a tensor of shape \(2, 6, 8\)"):
        SimCLR(nn.Embedding(TOKENS, 8), example_input=torch.ones(2, 6).long())


def test_batches_of_other_inputs_are_refused() -> None:
    strategy = made("windows")
    with pytest.raises(ValueError, match=r"\(N, 2, and 2 more\), got \(16, 2, 5\)"):
        strategy.train(benchmark("rows").train_stream[0])


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (lambda ids: ids, r"two stacked views.* got a tensor of shape \(6,\)"),
        (TwoViews(lambda ids: ids[:, None]), r"like one view.* beside .*\(2, 6, 1\)"),
    ],
)
def test_views_of_another_kind_than_the_input_are_refused(
    view: Any, message: str
) -> None:
    datasets = [AvalancheDataset([TensorDataset(torch.ones(8, 6).long())])]
    with pytest.raises(ValueError, match=message):
        with_multiview(benchmark_from_datasets(train=datasets), view)
