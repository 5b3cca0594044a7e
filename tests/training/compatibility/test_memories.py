"""What the past model, queues and the plain loss do with remembered images."""

from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import GEMPlugin, ReplayPlugin
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr import SelfSupervised
from avalanche_pnr.training.problem import MethodLoss
from tests.conftest import tiny_moco
from tests.training.compatibility.conftest import gradient, pnr, run
from tests.training.compatibility.plugin_effects import EFFECTS


class Queues(SupervisedPlugin):
    """Compares what a step has added to MoCo's queues with its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[int] = []
        self.pointers = 0, 0

    def before_training_iteration(
        self, strategy: SelfSupervised, **kwargs: Any
    ) -> None:
        model = strategy.model
        self.pointers = int(model.queue.pointer), int(model.past_queue.pointer)

    def after_training_iteration(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if not strategy.past_model.exists:
            return
        model, images = strategy.model, len(strategy.mb_x)
        keys = strategy.mb_output[..., model.projection_dim :]
        past = strategy.past_model(strategy.mb_x.clone())
        queues = model.queue, model.past_queue
        for queue, start, batch in zip(
            queues, self.pointers, (keys, past), strict=True
        ):
            assert int(queue.pointer) == (start + images) % len(queue)
            added = queue.keys.roll(-start, dims=1)[:, :images].transpose(0, 1)
            expected = normalize(batch.detach(), dim=-1)
            assert torch.allclose(added, expected, atol=1e-6)
        self.images.append(images)


@pytest.mark.parametrize(
    ("other", "images"),
    [("replay", 16), ("gdumb", 8), ("mir", 8), ("gem", 8), ("agem", 8)],
)
def test_queues_hold_the_batch_with_replayed_images_and_no_others(
    other: str, images: int, benchmark_of_digits: CLScenario
) -> None:
    queues = Queues()
    run(benchmark_of_digits, [pnr, EFFECTS[other].make, lambda _: queues])
    assert len(queues.images) >= 4 * 2
    assert set(queues.images) == {images}


def test_replayed_images_pass_the_past_model_with_the_others(
    benchmark_of_digits: CLScenario, make_strategy: Any
) -> None:
    class Passes(SupervisedPlugin):
        views: list[int]

        def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            self.views = []
            if strategy.past_model.exists:
                network = strategy.past_model.network
                assert network is not None
                network.register_forward_pre_hook(self.note)

        def note(self, _: Any, arguments: tuple[Tensor]) -> None:
            self.views.append(len(arguments[0]))

    passes = Passes()
    strategy = make_strategy(plugins=[ReplayPlugin(40), pnr(), passes], train_mb_size=8)
    for experience in benchmark_of_digits.train_stream:
        strategy.train(experience)
    assert passes.views == [2 * (8 + 8)] * 3


def test_replay_drops_incomplete_batches_too(
    benchmark_of_digits: CLScenario,
) -> None:
    replay = EFFECTS["replay"].make
    done = run(benchmark_of_digits, [pnr, replay], train_mb_size=10)
    assert [len(batch.labels) for batch in done.batches] == [10] * 2 + [20] * 8


def test_a_filled_queue_begins_with_the_new_images_alone(
    benchmark_of_digits: CLScenario,
) -> None:
    filled: list[int] = []

    class Begin(SupervisedPlugin):
        def before_training_epoch(
            self, strategy: SelfSupervised, **kwargs: Any
        ) -> None:
            filled.append(sum(map(len, strategy.training_views())))

    run(
        benchmark_of_digits,
        [pnr, EFFECTS["replay"].make, lambda _: Begin()],
        method=lambda: tiny_moco(past_queue_start="filled"),
    )
    assert filled == [24] * 5


def test_gem_projects_on_gradients_of_the_plain_loss(
    benchmark_of_digits: CLScenario,
) -> None:
    checked: list[int] = []

    class Check(SupervisedPlugin):
        def before_training_iteration(
            self, strategy: SelfSupervised, **kwargs: Any
        ) -> None:
            (gem,) = (p for p in strategy.plugins if isinstance(p, GEMPlugin))
            for row, views in zip(gem.G, gem.memory_x.values(), strict=False):
                strategy.optimizer.zero_grad()
                strategy.model.loss(strategy.model(views)).backward()
                assert torch.allclose(gradient(strategy), row, atol=1e-5)
            checked.append(len(gem.G))

    plugins = [pnr, EFFECTS["gem"].make, lambda _: Check()]
    run(benchmark_of_digits, plugins)
    assert checked == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3


def test_mir_adds_the_plain_loss_of_the_most_interfered_images(
    benchmark_of_digits: CLScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Tensor, str, Tensor]] = []
    plain = MethodLoss.__call__

    def note(self: MethodLoss, output: Tensor, target: Tensor | None = None) -> Tensor:
        loss = plain(self, output, target)
        calls.append((output, self.reduction, loss))
        return loss

    class Check(SupervisedPlugin):
        checked = 0

        def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            calls.clear()

        def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            if strategy.experience.current_experience < 2:
                return
            old, new, chosen = calls  # PNR's own L1 is none of them
            assert [call[1] for call in calls] == ["none", "none", "mean"]
            assert old[2].shape == new[2].shape == (len(old[0]),)
            output, _, loss = chosen
            assert len(output) == min(8, len(old[0]))
            assert torch.equal(loss, strategy.model.loss(output))
            terms = sum(strategy.loss_terms.values())
            assert (strategy.loss - terms).item() == pytest.approx(
                loss.item(), rel=1e-5
            )
            # With pseudo-negatives it would be another one.
            past = strategy.past_model(strategy.mb_x)
            assert strategy.model.pnr_ssl_loss(output, past) > loss + 0.1
            Check.checked += 1

    monkeypatch.setattr(MethodLoss, "__call__", note)
    run(benchmark_of_digits, [pnr, EFFECTS["mir"].make, lambda _: Check()])
    assert Check.checked == 9
