import copy
import pickle
from typing import Any, ClassVar

import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets, with_task_labels
from avalanche.benchmarks.scenarios.task_aware import task_incremental_benchmark
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    MIRPlugin,
    ReplayPlugin,
)
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from avalanche_pnr import LARS, CaSSLePlugin, PNRPlugin, ProbePlugin, SelfSupervised
from avalanche_pnr.training.problem import check_views
from tests.conftest import tiny_moco, tiny_simclr


class BareImages(Dataset[Tensor]):
    """Unlabelled samples: a tensor of views, no tuple."""

    def __init__(self) -> None:
        self.views = torch.rand(40, 2, 3, 8, 8)

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> Tensor:
        return self.views[index]


def unlabelled(kind: str) -> Dataset[Any]:
    if kind == "bare":
        return BareImages()
    return TensorDataset(torch.rand(40, 2, 3, 8, 8), torch.full((40,), -1))


@pytest.mark.parametrize("kind", ["bare", "minus one"])
def test_unlabelled_streams_train(kind: str, make_strategy: Any) -> None:
    datasets = [AvalancheDataset([unlabelled(kind)]) for _ in range(3)]
    benchmark = benchmark_from_datasets(train=datasets)
    strategy = make_strategy(plugins=[PNRPlugin()])
    start = copy.deepcopy(strategy.model.state_dict())
    for experience in benchmark.train_stream:
        strategy.train(experience)
    weight = "backbone.0.weight"
    assert not torch.equal(strategy.model.state_dict()[weight], start[weight])
    assert strategy.clock.train_iterations == 6


COMPANIONS = {
    "replay": lambda: ReplayPlugin(mem_size=30),
    "ewc": lambda: EWCPlugin(ewc_lambda=1.0),
    "agem": lambda: AGEMPlugin(patterns_per_experience=10, sample_size=8),
    "mir": lambda: MIRPlugin(batch_size_mem=8, mem_size=40, subsample=16),
}


# MIR reads (x, y, t) samples, which only streams with task labels have.
@pytest.mark.parametrize(
    ("companion", "task_labels"),
    [(name, labels) for name in COMPANIONS for labels in sorted({name == "mir", True})],
)
def test_avalanche_plugins_compose_and_have_their_effect(
    companion: str,
    task_labels: bool,
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    benchmark = benchmark_of_digits
    if task_labels:
        benchmark = with_task_labels(task_incremental_benchmark(benchmark))

    def train(plugins: list[Any]) -> dict[str, Tensor]:
        strategy = make_strategy(plugins=plugins)
        for experience in benchmark.train_stream[:4]:
            torch.manual_seed(experience.current_experience)
            strategy.train(experience)
        state: dict[str, Tensor] = strategy.model.state_dict()
        return state

    alone = train([PNRPlugin()])
    together = train([PNRPlugin(), COMPANIONS[companion]()])
    weight = together["backbone.0.weight"]
    assert torch.isfinite(weight).all()
    assert not torch.equal(weight, alone["backbone.0.weight"])


def test_the_dataset_s_own_collate_function_is_used(make_strategy: Any) -> None:
    called = []

    def collate(samples: list[Any]) -> list[Tensor]:
        called.append(len(samples))
        return [torch.stack([sample[0] for sample in samples])]

    dataset = AvalancheDataset([unlabelled("minus one")], collate_fn=collate)
    benchmark = benchmark_from_datasets(train=[dataset])
    make_strategy().train(benchmark.train_stream[0])
    assert called == [16, 16]


def test_incomplete_batches_are_dropped_unless_wanted(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(train_mb_size=20)
    strategy.train(benchmark_of_digits.train_stream[0])
    assert strategy.clock.train_iterations == 2
    strategy.train(benchmark_of_digits.train_stream[1], drop_last=False)
    assert strategy.clock.train_iterations == 5


def test_replay_drops_incomplete_batches_too(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    class Sizes(SupervisedPlugin):
        seen: ClassVar[set[int]] = set()

        def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            self.seen.add(len(strategy.mb_x))

    plugins = [ReplayPlugin(mem_size=30), PNRPlugin(), Sizes()]
    strategy = make_strategy(plugins=plugins, train_mb_size=20)
    for experience in benchmark_of_digits.train_stream[:4]:
        strategy.train(experience)
    assert Sizes.seen == {20, 40}


def test_a_queue_below_a_batch_with_replay_is_refused_before_the_step(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(
        tiny_moco(queue_length=24), plugins=[ReplayPlugin(mem_size=30)]
    )
    strategy.train(benchmark_of_digits.train_stream[0])
    before = copy.deepcopy(strategy.model.state_dict())
    with pytest.raises(ValueError, match="length 24 is shorter than a batch of 32"):
        strategy.train(benchmark_of_digits.train_stream[1])
    assert all(
        torch.equal(v, before[k]) for k, v in strategy.model.state_dict().items()
    )


def test_a_network_that_is_no_method_is_refused() -> None:
    network = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="Linear is no self-supervised method"):
        SelfSupervised(model=network, optimizer=optimizer)  # type: ignore[arg-type]


def test_task_labels_are_there_or_asked_for_in_vain(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy()
    strategy.mbatch = [torch.zeros(2), torch.zeros(2)]
    with pytest.raises(ValueError, match="no task labels"):
        _ = strategy.mb_task_id
    strategy.mbatch.append(torch.ones(2))
    assert torch.equal(strategy.mb_task_id, torch.ones(2))


def test_workers_load_the_same_stream(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(plugins=[PNRPlugin()])
    for experience in benchmark_of_digits.train_stream[:2]:
        strategy.train(experience, num_workers=1)
    assert strategy.clock.train_iterations == 6


def test_an_experience_below_one_batch_is_refused(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(tiny_simclr(), train_mb_size=64)
    with pytest.raises(ValueError, match="experience 0 has 48 images, less than one"):
        strategy.train(benchmark_of_digits.train_stream[0])


@pytest.mark.parametrize("size", [0, 1])
def test_batches_of_one_are_refused_at_construction(
    size: int, make_strategy: Any
) -> None:
    with pytest.raises(ValueError, match="batches of 2 images or more"):
        make_strategy(train_mb_size=size)


def test_a_queue_below_one_batch_is_refused_at_construction(make_strategy: Any) -> None:
    with pytest.raises(ValueError, match="queue of length 8 is shorter than a batch"):
        make_strategy(tiny_moco(queue_length=8))


@pytest.mark.parametrize(
    "batch",
    [
        torch.zeros(4, 3, 8, 8),
        torch.zeros(4, 1, 3, 8, 8),
        torch.zeros(4, 3, 3, 8, 8),
        [torch.zeros(4, 3, 8, 8)] * 2,
    ],
    ids=["images", "one view", "three views", "list"],
)
def test_batches_without_stacked_views_are_refused(batch: Any) -> None:
    with pytest.raises(ValueError, match="one tensor of two stacked views"):
        check_views(batch)


def test_one_view_is_refused_before_the_first_step(make_strategy: Any) -> None:
    images = TensorDataset(torch.rand(40, 3, 8, 8), torch.zeros(40))
    benchmark = benchmark_from_datasets(train=[AvalancheDataset([images])])
    strategy = make_strategy()
    with pytest.raises(ValueError, match=r"got \(16, 3, 8, 8\).*TwoViews"):
        strategy.train(benchmark.train_stream[0])
    assert strategy.clock.train_iterations == 0


def test_default_evaluator_reports_probe_accuracy(
    benchmark_of_digits: CLScenario, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_moco()
    strategy = SelfSupervised(
        model=model,
        optimizer=LARS(model.parameters(), lr=0.1),
        train_mb_size=16,
        plugins=[CaSSLePlugin(), ProbePlugin(benchmark_of_digits.train_stream)],
    )
    strategy.eval(benchmark_of_digits.test_stream)
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    metrics = strategy.eval(benchmark_of_digits.test_stream)
    accuracy = metrics["Top1_Acc_Stream/eval_phase/test_stream"]
    assert 0.1 < accuracy <= 1
    assert "Loss_Epoch" in capsys.readouterr().out


def test_a_strategy_survives_pickling_and_copying(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    probe = ProbePlugin(benchmark_of_digits.train_stream)
    strategy = make_strategy(plugins=[PNRPlugin(), probe])
    for experience in benchmark_of_digits.train_stream[:2]:
        strategy.train(experience)
        strategy.eval(benchmark_of_digits.test_stream)
    states = []
    unpickled = pickle.loads(pickle.dumps(strategy))
    for each in (strategy, copy.deepcopy(strategy), unpickled):
        torch.manual_seed(7)
        each.train(benchmark_of_digits.train_stream[2])
        states.append(each.model.state_dict())
    for other in states[1:]:
        assert all(torch.equal(value, other[k]) for k, value in states[0].items())


def test_lars_checks_its_options_and_calls_its_closure() -> None:
    weight = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(ValueError, match="LARS needs momentum >= 0, got -1"):
        LARS([weight], lr=0.1, momentum=-1)
    optimizer = LARS([weight, torch.ones(1, requires_grad=True)], lr=0.1, clip=False)

    def closure() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert (weight < 1).all()
