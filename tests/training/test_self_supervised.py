import copy
import pickle
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import nn

from avalanche_pnr import LARS, CaSSLePlugin, PNRPlugin, ProbePlugin, SelfSupervised
from tests.conftest import tiny_moco, tiny_simclr


def test_incomplete_batches_are_dropped_unless_wanted(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(train_mb_size=20)
    strategy.train(benchmark_of_digits.train_stream[0])
    assert strategy.clock.train_iterations == 2
    strategy.train(benchmark_of_digits.train_stream[1], drop_last=False)
    assert strategy.clock.train_iterations == 5


def test_a_network_that_is_no_method_is_refused() -> None:
    network = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="Linear is not a self-supervised method"):
        SelfSupervised(model=network, optimizer=optimizer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrap", "advice"),
    [
        (torch.compile, r"the method itself and precision=Precision\(compile=True\)"),
        (nn.DataParallel, "the method itself, and start the script with torchrun"),
    ],
)
def test_a_wrapped_method_is_refused_with_what_does_the_same(
    wrap: Any, advice: str
) -> None:
    method = tiny_simclr()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    with pytest.raises(TypeError, match=advice):
        SelfSupervised(model=wrap(method), optimizer=optimizer)


def test_a_last_batch_of_one_is_refused_before_training(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    strategy = make_strategy(train_mb_size=47)
    with pytest.raises(ValueError, match="its last batch of 47 would have a single"):
        strategy.train(benchmark_of_digits.train_stream[0], drop_last=False)
    assert strategy.clock.train_iterations == 0
    strategy.train(benchmark_of_digits.train_stream[0])


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
    with pytest.raises(ValueError, match="experience 0 has 48 images, fewer than"):
        strategy.train(benchmark_of_digits.train_stream[0])


@pytest.mark.parametrize("size", [0, 1])
def test_batches_of_one_are_refused_at_construction(
    size: int, make_strategy: Any
) -> None:
    with pytest.raises(ValueError, match="batches of 2 images or more"):
        make_strategy(train_mb_size=size, accumulate=4)


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_refused_at_construction(epochs: int, make_strategy: Any) -> None:
    with pytest.raises(
        ValueError, match=f"train_epochs must be 1 or more, got {epochs}"
    ):
        make_strategy(train_epochs=epochs)


def test_a_queue_below_one_batch_is_refused_at_construction(make_strategy: Any) -> None:
    with pytest.raises(ValueError, match="queue of length 8 is shorter than a batch"):
        make_strategy(tiny_moco(queue_length=8))


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
