"""Options of precision in whole trainings, with PNR and replay."""

from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import AGEMPlugin, ReplayPlugin
from torch import Tensor

from avalanche_pnr import LARS, PNRPlugin, Precision, SelfSupervised
from tests.conftest import Strategy, tiny_moco


class Record(SupervisedPlugin):
    """Keeps losses and the norms of the gradients that other plugins see."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[Tensor] = []
        self.norms: list[Tensor] = []

    def after_backward(self, strategy: Any, **kwargs: Any) -> None:
        gradients = [p.grad for p in strategy.model.parameters() if p.grad is not None]
        self.norms.append(torch.stack(torch._foreach_norm(gradients)).norm())

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        self.losses.append(strategy.loss.detach().clone())


def trained(
    make_strategy: Strategy, benchmark: CLScenario, *plugins: Any, **options: Any
) -> tuple[SelfSupervised, Record]:
    record, model = Record(), tiny_moco()
    replay = ReplayPlugin(mem_size=20, batch_size_mem=8)
    pnr = PNRPlugin(predictor_hidden_dim=8)
    strategy = make_strategy(model, plugins=[pnr, replay, *plugins, record], **options)
    enabled = strategy.scaler.is_enabled()  # at a scale that fits from the beginning
    strategy.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=enabled)
    for experience in benchmark.train_stream[:3]:
        strategy.train(experience)
    return strategy, record


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("lars", [False, True])
def test_trainings_in_less_stay_close_to_float32(
    dtype: Any, lars: bool, benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    def run(precision: Precision | None) -> tuple[SelfSupervised, Record]:
        torch.manual_seed(0)
        strategy, record = trained(
            make_strategy, benchmark_of_digits, precision=precision, lr=0.02
        )
        return strategy, record

    if lars:
        plain = make_strategy

        def make_strategy(model: Any, lr: float, **options: Any) -> SelfSupervised:
            optimizer = LARS(model.parameters(), lr=lr)
            return plain(model, optimizer=optimizer, **options)

    full, expected = run(None)
    less, found = run(Precision(dtype))
    losses, norms = torch.cat(found.losses), torch.stack(found.norms)
    assert not torch.equal(losses, torch.cat(expected.losses))
    torch.testing.assert_close(losses, torch.cat(expected.losses), rtol=0.03, atol=0.02)
    # Other plugins see the gradients unscaled.
    torch.testing.assert_close(norms, torch.stack(expected.norms), rtol=0.2, atol=0.02)
    for one, other in zip(
        full.model.parameters(), less.model.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.02)


def test_float16_composes_with_plugins_that_read_gradients(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    agem = AGEMPlugin(patterns_per_experience=16, sample_size=8)
    _, record = trained(
        make_strategy, benchmark_of_digits, agem, precision=Precision("float16")
    )
    assert torch.cat(record.losses).isfinite().all()


def test_steps_that_overflow_are_left_out_until_the_scale_fits(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    strategy = make_strategy(precision=Precision("float16"), train_epochs=3)
    strategy.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    before = strategy.model.projector.layers[0].weight.clone()
    seen = []

    class Look(SupervisedPlugin):
        def after_update(self, strategy: Any, **kwargs: Any) -> None:
            same = torch.equal(strategy.model.projector.layers[0].weight, before)
            seen.append((strategy.scaler.get_scale(), same))

    strategy.plugins.append(Look())
    strategy.train(benchmark_of_digits.train_stream[0])
    assert seen[0] == (2.0**23, True)  # left out
    assert not seen[-1][1]  # then learnt
    assert all(each.isfinite().all() for each in strategy.model.parameters())


def test_gradients_that_are_not_finite_at_any_scale_end_the_training(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    class Broken(SupervisedPlugin):
        def before_backward(self, strategy: Any, **kwargs: Any) -> None:
            weight = next(iter(strategy.model.parameters()))
            strategy.loss += (weight * 0).sqrt().sum()  # 0, with a gradient of NaN

    strategy = make_strategy(
        plugins=[Broken()], precision=Precision("float16"), train_epochs=20
    )
    weights = [each.clone() for each in strategy.model.parameters()]
    with pytest.raises(FloatingPointError, match="however small the loss is scaled"):
        strategy.train(benchmark_of_digits.train_stream[0])
    for one, other in zip(weights, strategy.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_loss_that_is_not_finite_ends_it_at_once_and_training_can_go_on(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    class Broken(SupervisedPlugin):
        error = float("nan")

        def before_backward(self, strategy: Any, **kwargs: Any) -> None:
            strategy.loss += self.error

    broken = Broken()
    strategy = make_strategy(plugins=[broken], precision=Precision("float16"))
    scale = strategy.scaler.get_scale()
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        strategy.train(benchmark_of_digits.train_stream[0])
    assert strategy.scaler.get_scale() == scale
    broken.error = 0.0
    strategy.train(benchmark_of_digits.train_stream[0])


def test_the_scale_is_a_part_of_the_state(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    strategy, other = (
        make_strategy(precision=Precision("float16"), train_epochs=2) for _ in range(2)
    )
    strategy.scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    strategy.train(benchmark_of_digits.train_stream[0])
    other.load_state_dict(strategy.state_dict(), benchmark_of_digits.train_stream)
    assert other.scaler.get_scale() == 128
    assert other.scaler.state_dict()["_growth_tracker"] == 6
