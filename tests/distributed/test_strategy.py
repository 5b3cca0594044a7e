"""The strategy on several processes: replay, probes, states, and what goes wrong."""

import multiprocessing
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    GEMPlugin,
    LRSchedulerPlugin,
    ReplayPlugin,
)
from torch import Tensor

import avalanche_pnr
from avalanche_pnr import (
    CaSSLePlugin,
    DownstreamPlugin,
    KNNProbe,
    LinearProbe,
    NearestMeanProbe,
    OnlineProbe,
    PNRPlugin,
    ProbePlugin,
    RepresentationPlugin,
    SelfSupervised,
    SemiSupervisedProbe,
    WarmupCosinePlugin,
    ssl_metrics,
)
from avalanche_pnr.distributed.collectives import LostProcessError, rank
from avalanche_pnr.evaluation import extract_features, extract_unlabelled
from tests.conftest import METHODS, Strategy, tiny_moco
from tests.distributed.processes import together
from tests.distributed.test_global_batch import without_batchnorm
from tests.training.continued import differences


def seeded(make: Callable[[], Any], seed: int = 0) -> Any:
    """A method whose weights are the same in every process."""
    torch.manual_seed(seed)
    return without_batchnorm(make())


def weights(
    make_strategy: Strategy, benchmark: CLScenario, plugins: Any
) -> dict[str, Tensor]:
    """What three experiences make of a method.

    With these weights no unit comes so near the kink of its ReLU that rounding, which
    differs between versions of PyTorch, would grow there.
    """
    strategy = make_strategy(seeded(tiny_moco, seed=1), plugins=plugins(), lr=1e-3)
    for experience in benchmark.train_stream[:3]:
        strategy.train(experience)
    return strategy.model.state_dict()


COMPOSITIONS: dict[str, Any] = {
    "replay": lambda: [ReplayPlugin(mem_size=20, batch_size_mem=7), PNRPlugin()],
    "EWC": lambda: [EWCPlugin(ewc_lambda=10)],
    "schedules": lambda: [
        WarmupCosinePlugin(warmup_start_lr=1e-4),
        CaSSLePlugin(),
    ],
}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_plugins_do_the_same_on_several_processes(
    name: str, make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    args = make_strategy, benchmark_of_digits, COMPOSITIONS[name]
    expected = weights(*args)
    for found in together(2, weights, *args):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def ewc_state(make_strategy: Strategy, benchmark: CLScenario) -> dict[str, Any]:
    """Importances and weights of three experiences, and the last penalty."""
    plugin = avalanche_pnr.EWCPlugin(ewc_lambda=1000)
    penalties: list[float] = []

    def pause(strategy: SelfSupervised) -> None:
        penalties.append(strategy.loss.item() - strategy.loss_terms["loss"].item())

    strategy = make_strategy(seeded(tiny_moco), plugins=[plugin])
    strategy.checkpoint_callback = pause
    for experience in benchmark.train_stream[:3]:
        strategy.train(experience)
    return {
        "importances": tensors_of(plugin.importances),
        "weights": tensors_of(plugin.saved_params),
        "penalty": max(penalties),
    }


def tensors_of(experiences: dict[int, dict[str, Any]]) -> dict[int, dict[str, Tensor]]:
    """What EWC keeps of each experience and parameter."""
    return {
        number: {name: kept.data for name, kept in parameters.items()}
        for number, parameters in experiences.items()
    }


def test_importances_are_those_of_one_process(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    args = make_strategy, benchmark_of_digits
    expected = ewc_state(*args)
    assert expected["penalty"] > 1e-3
    first, second = together(2, ewc_state, *args)
    assert differences(first, second) == []
    torch.testing.assert_close(first, expected, rtol=5e-3, atol=1e-6)


@pytest.mark.parametrize("size", [16, 46])
def test_an_incomplete_batch_is_shared_though_a_process_gets_none_of_it(
    size: int, make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    """48 images: three batches of 16 for 3 processes; one of 46 and one of 2."""

    def train(images: int) -> dict[str, Tensor]:
        model = seeded(METHODS["byol"])
        model.check_batch_size = lambda size: None
        strategy = make_strategy(model, train_mb_size=images)
        for experience in benchmark_of_digits.train_stream[:3]:
            strategy.train(experience, drop_last=False)
        assert strategy.clock.train_iterations == 3 * -(-48 // images)
        return model.state_dict()

    expected = train(size)
    for found in together(3, train, size):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def judged(make_strategy: Strategy, benchmark: CLScenario) -> dict[str, Any]:
    """Metrics and features of a network that several plugins judge."""
    probes = [
        LinearProbe(),
        KNNProbe(k=5),
        NearestMeanProbe(),
        OnlineProbe(batch_size=20),
        SemiSupervisedProbe(0.5),
    ]
    plugins = [
        ProbePlugin(benchmark.probe_stream, probes),
        DownstreamPlugin("digits", benchmark.probe_stream, benchmark.test_stream),
        RepresentationPlugin(benchmark.train_stream, images=7),
    ]
    from avalanche.training.plugins import EvaluationPlugin

    model = seeded(tiny_moco)
    strategy = make_strategy(
        model,
        plugins=plugins,
        eval_mb_size=13,
        evaluator=EvaluationPlugin(ssl_metrics(*plugins)),
    )
    for experience in benchmark.train_stream[:3]:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
    dataset = benchmark.test_stream[0].dataset.eval()
    return {
        "metrics": metrics,
        "labelled": extract_features(model, dataset, batch_size=5),
        "unlabelled": extract_unlabelled(model, dataset, batch_size=7),
    }


def test_probes_judge_as_on_one_process(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    expected = judged(make_strategy, benchmark_of_digits)
    for found in together(3, judged, make_strategy, benchmark_of_digits):
        assert found["metrics"].keys() == expected["metrics"].keys()
        for name, value in expected["metrics"].items():
            assert found["metrics"][name] == pytest.approx(
                value, rel=0.02, abs=0.02, nan_ok=True
            ), name
        torch.testing.assert_close(
            found["labelled"], expected["labelled"], rtol=1e-3, atol=1e-5
        )
        torch.testing.assert_close(found["labelled"][0], found["unlabelled"])


def test_a_state_is_gone_on_with_by_another_number_of_processes(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    def plugins() -> list[Any]:
        return [PNRPlugin(predictor_hidden_dim=16), ReplayPlugin(mem_size=20)]

    def begin() -> dict[str, Any]:
        states: list[Any] = []

        def pause(strategy: SelfSupervised) -> None:
            if strategy.clock.train_iterations == 7:  # in the second experience
                states.append(strategy.state_dict())
                raise InterruptedError

        strategy = make_strategy(tiny_moco(), plugins=plugins(), train_epochs=2)
        strategy.checkpoint_callback = pause
        for experience in benchmark_of_digits.train_stream[:1]:
            strategy.train(experience)
        with pytest.raises(InterruptedError):
            strategy.train(benchmark_of_digits.train_stream[1])
        return states[0]

    def go_on(state: dict[str, Any]) -> tuple[int, dict[str, Tensor]]:
        stream = benchmark_of_digits.train_stream
        strategy = make_strategy(tiny_moco(), plugins=plugins(), train_epochs=2)
        strategy.load_state_dict(state, stream)
        for experience in stream[strategy.clock.train_exp_counter : 3]:
            strategy.train(experience)
        return strategy.clock.train_iterations, strategy.model.state_dict()

    states = together(2, begin)
    for name, tensor in states[0]["model"].items():
        assert torch.equal(tensor, states[1]["model"][name]), name
    alone = go_on(states[0])
    assert alone[0] == 18
    (steps, first), *others = together(3, go_on, states[0])
    assert steps == 18
    for _, other in others:
        assert all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("make", [GEMPlugin, AGEMPlugin])
def test_plugins_with_batches_of_their_own_are_refused(
    make: Any, make_strategy: Strategy
) -> None:
    def build() -> None:
        make_strategy(plugins=[make(5, 5) if make is AGEMPlugin else make(5, 0.5)])

    for error in together(2, build):
        assert isinstance(error, ValueError)
        assert f"{make.__name__} cannot be used on 2 processes" in str(error)


def test_more_processes_than_images_of_a_batch_are_refused(
    make_strategy: Strategy,
) -> None:
    for error in together(3, lambda: make_strategy(train_mb_size=2)):
        assert "3 processes cannot share a batch of 2 images" in str(error)


def test_a_queue_shorter_than_the_batch_of_all_is_refused(
    make_strategy: Strategy,
) -> None:
    for error in together(2, lambda: make_strategy(train_mb_size=49)):
        assert "a queue of length 48 is shorter than a batch of 49" in str(error)


def test_processes_that_were_started_differently_are_refused(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    def train() -> None:
        strategy = make_strategy(train_mb_size=16 + 8 * rank(), train_epochs=2)
        strategy.train(benchmark_of_digits.train_stream[0])

    for error in together(2, train):
        assert isinstance(error, ValueError)
        assert "train_mb_size is 16 in process 0 and 24 in process 1" in str(error)


def test_networks_that_drift_apart_are_noticed(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    def train() -> None:
        strategy = make_strategy()
        strategy.train(benchmark_of_digits.train_stream[0])
        with torch.no_grad():
            next(strategy.model.parameters()).add_(rank())
        strategy.checkpoint_callback = lambda strategy: next(
            strategy.model.parameters()
        ).data.add_(rank())
        strategy.train(benchmark_of_digits.train_stream[1])

    for error in together(2, train):
        assert "the networks of the processes are no longer the same" in str(error)


def test_a_process_that_has_died_is_named(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    def train() -> None:
        strategy = make_strategy()
        if rank() == 1:
            strategy.checkpoint_callback = lambda strategy: os._exit(1)
        strategy.train(benchmark_of_digits.train_stream[0])

    error, nothing = together(2, train)
    assert nothing is None
    assert isinstance(error, LostProcessError)
    assert "process 0 of 2 has lost another one" in str(error)


def test_a_process_that_does_not_answer_is_named(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    given_up = multiprocessing.get_context("fork").Event()

    def train() -> None:
        strategy = make_strategy()
        if rank() == 1:
            strategy.checkpoint_callback = lambda strategy: given_up.wait(300)
        try:
            strategy.train(benchmark_of_digits.train_stream[0])
        finally:
            given_up.set()

    errors = together(2, train, timeout=timedelta(seconds=5))
    assert "does not answer" in str(errors[0])


def test_seeds_need_not_be_the_same(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    """The first process's weights and random numbers are those of all."""

    def train() -> dict[str, Tensor]:
        np.random.seed(rank())  # noqa: NPY002
        strategy = make_strategy(
            seed=rank(), plugins=[ReplayPlugin(mem_size=20), PNRPlugin()]
        )
        for experience in benchmark_of_digits.train_stream[:3]:
            strategy.train(experience)
        return strategy.model.state_dict()

    first, second = together(2, train)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_learning_rates_follow_avalanches_schedulers(
    make_strategy: Strategy, benchmark_of_digits: CLScenario
) -> None:
    def train() -> float:
        model = tiny_moco()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        strategy = make_strategy(
            model,
            optimizer=optimizer,
            train_epochs=2,
            plugins=[LRSchedulerPlugin(schedule)],
        )
        strategy.train(benchmark_of_digits.train_stream[0])
        return float(optimizer.param_groups[0]["lr"])

    assert together(2, train) == [train()] * 2
