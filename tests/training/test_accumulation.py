import copy
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import AGEMPlugin, GEMPlugin, ReplayPlugin
from torch import Tensor

from avalanche_pnr import PNRPlugin, Precision, SelfSupervised
from avalanche_pnr.methods import SelfSupervisedMethod
from tests.conftest import METHODS, Strategy, tiny_moco, tiny_simclr


class Steps(SupervisedPlugin):
    """Keeps the batches of each step, and its gradients as clipping would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Tensor] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.models: list[SelfSupervisedMethod] = []
        self.hooks: list[str] = []

    def before_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        self.batches.append(strategy.mb_x.clone())
        self.models.append(copy.deepcopy(strategy.model))

    def after_backward(self, strategy: Any, **kwargs: Any) -> None:
        self.hooks.append("after_backward")

    def before_update(self, strategy: Any, **kwargs: Any) -> None:
        self.hooks.append("before_update")
        named = strategy.model.named_parameters()
        self.gradients.append({n: p.grad.clone() for n, p in named})

    def after_update(self, strategy: Any, **kwargs: Any) -> None:
        self.hooks.append("after_update")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_gradient_of_a_step_is_the_mean_of_those_of_its_batches(
    dtype: Any, benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    steps = Steps()
    strategy = make_strategy(
        tiny_simclr(),
        plugins=[steps],
        accumulate=3,
        train_epochs=2,
        precision=Precision(dtype),
    )
    strategy.train(benchmark_of_digits.train_stream[0])
    assert len(steps.batches) == 6
    assert steps.hooks == ["after_backward", "before_update", "after_update"] * 2
    for step, gradients in enumerate(steps.gradients):
        model = steps.models[3 * step].train()
        model.zero_grad()
        for views in steps.batches[3 * step : 3 * step + 3]:
            (model.loss(model(views)) / 3).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(
                gradients[name], parameter.grad, rtol=0.02, atol=1e-4
            )


def test_momentum_moves_once_a_step_and_queues_take_every_image(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    model, taus = tiny_moco(queue_length=512), []
    plain = model.after_step

    def spy(output: Tensor, step: int, total_steps: int) -> None:
        taus.append((len(output), step, total_steps))
        plain(output, step, total_steps)

    model.after_step = spy  # type: ignore[method-assign]
    pnr = PNRPlugin(predictor_hidden_dim=8)
    strategy = make_strategy(model, plugins=[pnr], accumulate=3, train_epochs=2)
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    assert taus == [(48, 0, 2), (48, 1, 2)] * 3
    assert int(model.queue.pointer) == 6 * 48
    assert int(model.past_queue.pointer) == 4 * 48  # from the second experience on


def test_batches_left_over_by_an_experience_are_dropped(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    steps = Steps()
    strategy = make_strategy(plugins=[steps], accumulate=2)
    for experience in benchmark_of_digits.train_stream[:2]:  # 3 batches each
        strategy.train(experience)
    assert len(steps.gradients) == 2


CANCELLED = {"byol": {"projector.layers.3.bias"}}
"""Parameters whose gradient is zero: a bias that the BatchNorm after it takes away."""


@pytest.mark.parametrize("name", METHODS)
def test_it_composes_with_pnr_and_replay(
    name: str, benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    plugins = [
        PNRPlugin(predictor_hidden_dim=8),
        ReplayPlugin(mem_size=20, batch_size_mem=8),
    ]
    model = METHODS[name]()
    start = {key: each.clone() for key, each in model.named_parameters()}
    strategy = make_strategy(model, plugins=plugins, accumulate=2, train_epochs=2)
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    end = dict(model.named_parameters())
    same = {key for key, before in start.items() if torch.equal(before, end[key])}
    assert same <= CANCELLED.get(name, set())


@pytest.mark.parametrize(
    "plugin",
    [
        lambda: AGEMPlugin(patterns_per_experience=16, sample_size=8),
        lambda: GEMPlugin(patterns_per_experience=16, memory_strength=0.5),
    ],
)
def test_it_composes_with_plugins_that_use_the_optimizer(
    plugin: Any, benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    steps = Steps()
    strategy = make_strategy(plugins=[plugin(), steps], accumulate=3)
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    assert len(steps.gradients) == 3


def test_it_is_continued_in_the_midst_of_a_step(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    stream = benchmark_of_digits.train_stream

    def made() -> SelfSupervised:
        return make_strategy(accumulate=2, train_epochs=2)

    saved: list[dict[str, Any]] = []

    def save(strategy: SelfSupervised) -> None:
        if strategy.clock.train_iterations == 5:
            saved.append(copy.deepcopy(strategy.state_dict()))

    whole = made()
    whole.checkpoint_callback = save
    whole.train(stream[0])
    assert saved[0]["components"]["accumulation"]["gradients"]
    again = made()
    again.load_state_dict(saved[0], stream)
    again.train(stream[0])
    for one, other in zip(
        whole.model.state_dict().values(),
        again.model.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_impossible_steps_are_refused(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    with pytest.raises(ValueError, match="accumulate must be 1"):
        make_strategy(accumulate=0)
    with pytest.raises(ValueError, match=r"queue of length 48 .* batch of 64"):
        make_strategy(accumulate=4)
    strategy = make_strategy(tiny_simclr(), accumulate=4)
    with pytest.raises(
        ValueError, match=r"has 3 batches in 1 epochs.*lower accumulate"
    ):
        strategy.train(benchmark_of_digits.train_stream[0])
