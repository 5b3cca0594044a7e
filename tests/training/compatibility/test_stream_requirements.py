"""What needs the stream is refused before the first batch, and nothing is changed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.core import SupervisedPlugin
from avalanche.training import Naive
from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    GDumbPlugin,
    GEMPlugin,
    MASPlugin,
    MIRPlugin,
    ReplayPlugin,
    RWalkPlugin,
)
from avalanche.training.storage_policy import (
    ClassBalancedBuffer,
    ParametricBuffer,
    ReservoirSamplingBuffer,
)
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from avalanche_pnr import (
    CroMoMixupPlugin,
    DERPlugin,
    LessForgetPlugin,
    LUMPPlugin,
    OsirisPlugin,
    PFRPlugin,
    PNRPlugin,
    SelfSupervised,
)
from tests.conftest import tiny_backbone
from tests.training.compatibility.conftest import Make, Watch, cassle, pnr, run

VIEWS = torch.rand(5, 32, 2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Images(Dataset[Tensor]):
    """Views alone."""

    def __init__(self, views: Tensor) -> None:
        self.views = views

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> Tensor:
        return self.views[index]


def stream_of(labels: list[int]) -> CLScenario:
    """Five experiences, the images of each with one label."""
    datasets = []
    for views, label in zip(VIEWS, labels, strict=True):
        samples = TensorDataset(views, torch.full((len(views),), label))
        targets = [label] * len(views)
        samples.targets = targets  # type: ignore[attr-defined]
        datasets.append(AvalancheDataset([samples]))
    for dataset, label in zip(datasets, labels, strict=True):
        dataset.targets = [label] * len(dataset)  # type: ignore[attr-defined]
    return benchmark_from_datasets(train=datasets)


UNLABELLED = [-1] * 5


def refused(benchmark: CLScenario, plugin: Any, make_strategy: Any) -> str:
    """Why a plugin is refused, having checked that nothing was changed."""
    watch = Watch()
    strategy = make_strategy(plugins=[PNRPlugin(), plugin, watch], train_mb_size=8)
    before = copy.deepcopy(strategy.model.state_dict())
    random = torch.get_rng_state()
    with pytest.raises(ValueError, match=f"^{type(plugin).__name__} ") as error:
        strategy.train(benchmark.train_stream[0])
    assert watch.batches == []
    assert torch.equal(random, torch.get_rng_state())
    after = strategy.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    return str(error.value)


BY_CLASS: dict[str, Callable[[], Any]] = {
    "class-balanced": lambda: ReplayPlugin(32, storage_policy=ClassBalancedBuffer(32)),
    "grouped": lambda: ReplayPlugin(
        32, storage_policy=ParametricBuffer(32, groupby="class")
    ),
    "gdumb": lambda: GDumbPlugin(32),
    "mir": lambda: MIRPlugin(8),
}


@pytest.mark.parametrize("make", BY_CLASS.values(), ids=BY_CLASS)
@pytest.mark.parametrize("labels", [UNLABELLED, [0, 1, 2, -1, 4]])
def test_memories_by_class_need_labels(
    make: Any, labels: list[int], make_strategy: Any
) -> None:
    why = refused(stream_of(labels), make(), make_strategy)
    first = labels.index(-1)
    assert f"by class, and the images of experience {first} have no labels" in why
    assert "ReplayPlugin with its default memory" in why


@pytest.mark.parametrize(
    "make",
    [
        lambda: ReplayPlugin(32),
        lambda: ReplayPlugin(32, storage_policy=ReservoirSamplingBuffer(32)),
        lambda: EWCPlugin(0.1),
        lambda: AGEMPlugin(8, 8),
        lambda: GEMPlugin(8, 0.5),
    ],
)
def test_others_need_none(make: Any) -> None:
    benchmark = stream_of(UNLABELLED)
    benchmark.test_stream = []
    done = run(benchmark, [pnr, lambda _: make()])
    assert torch.isfinite(done.weights).all()
    assert len(done.of(4)) == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: EWCPlugin(0.1),
        lambda: MASPlugin(),
        lambda: AGEMPlugin(8, 8),
        lambda: GEMPlugin(8, 0.5),
    ],
)
def test_samples_must_be_pairs(make: Any, make_strategy: Any) -> None:
    datasets = [AvalancheDataset([Images(views)]) for views in VIEWS]
    benchmark = benchmark_from_datasets(train=datasets)
    assert "let unlabelled samples be (x, -1)" in refused(
        benchmark, make(), make_strategy
    )


def test_a_sample_for_each_experience(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    why = refused(benchmark_of_digits, AGEMPlugin(8, sample_size=4), make_strategy)
    assert "sample_size=4 among 5 experiences" in why
    assert "raise it to 5" in why


@pytest.mark.parametrize(
    "options",
    [
        {"task_balanced_dataloader": True},
        {"storage_policy": ParametricBuffer(32, groupby="task")},
    ],
)
def test_tasks_to_balance(
    options: dict[str, Any], benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    why = refused(benchmark_of_digits, ReplayPlugin(32, **options), make_strategy)
    assert "no task_set: leave task_balanced_dataloader=False" in why


def test_a_score_in_each_experience(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    why = refused(benchmark_of_digits, RWalkPlugin(delta_t=10), make_strategy)
    assert "delta_t=10 steps, and an experience has 3" in why


def test_a_memory_of_a_batch(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    why = refused(benchmark_of_digits, ReplayPlugin(7), make_strategy)
    assert "remembers 7 images, fewer than the 8 it is to add to each batch" in why
    strategy = make_strategy(
        plugins=[ReplayPlugin(7), watch := Watch()], train_mb_size=8
    )
    for experience in benchmark_of_digits.train_stream[:2]:
        strategy.train(experience, drop_last=False)
    assert watch.batches[-1].seen_again


def test_the_past_is_not_there_in_the_first_experience(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    class Impatient(SupervisedPlugin):
        def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            strategy.past_model(next(strategy.training_views()))

    watch = Watch()
    strategy = make_strategy(plugins=[Impatient(), watch])
    before = copy.deepcopy(strategy.model.state_dict())
    with pytest.raises(RuntimeError, match=r"no past model .*: .* check `exists`"):
        strategy.train(benchmark_of_digits.train_stream[0])
    after = strategy.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert watch.batches == []


@pytest.mark.parametrize(
    "regularizer",
    [
        pnr,
        cassle,
        lambda _: PFRPlugin(),
        lambda _: LessForgetPlugin(),
        lambda _: DERPlugin(),
        lambda _: LUMPPlugin(),
        lambda _: OsirisPlugin(),
        lambda _: CroMoMixupPlugin(),
    ],
)
def test_strategies_that_are_not_self_supervised(
    regularizer: Make, benchmark_of_digits: CLScenario
) -> None:
    model = nn.Sequential(tiny_backbone(), nn.Linear(8, 10))
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    naive = Naive(
        model=model,
        optimizer=optimizer,
        criterion=nn.CrossEntropyLoss(),
        plugins=[regularizer(optimizer)],
        evaluator=None,
    )
    with pytest.raises(TypeError, match=r"Naive does not have: .*SelfSupervised$"):
        naive.train(benchmark_of_digits.train_stream[0])
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
